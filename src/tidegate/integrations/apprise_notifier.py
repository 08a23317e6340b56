"""Tells people through Apprise, which knows the services (https://appriseit.com)."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidegate.integrations.notifier import NotTaken
from tidegate.model.channel import Topic
from tidegate.model.notification import Notification

if TYPE_CHECKING:  # takes a good part of a second, and some tens of MiB: not before there is something to send
    from apprise import Apprise, NotifyBase

SECONDS = 20.0
"""For all services of a channel together; most of them give up by themselves after four of silence."""

_STATUS = re.compile(r"\berror=(\d{3})\b")
_ASKS = frozenset({Topic.APPROVAL, Topic.HOLD, Topic.BREAK_GLASS, Topic.QUESTION})
_BAD = frozenset(
    {Topic.ROLLBACK, Topic.STUCK, Topic.LINE_STOPPED, Topic.RUN_FAILED, Topic.TROUBLE, Topic.TRAIN_STOPPED}
)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The services that a text names, one a line."""

    text: str
    services: tuple[NotifyBase, ...]


class AppriseNotifier:
    """Sends to every address that `read_urls` gives: one a line, empty lines and those that begin with # left out.

    Addresses hold secrets: no message of an exception and no line of the log repeats a part of one. Each sending has a
    thread of its own, which is left alone when it takes too long; the next one waits for its end.
    """

    def __init__(self, read_urls: Callable[[], str], seconds: float = SECONDS) -> None:
        self._read_urls = read_urls
        self._seconds = seconds
        self._loaded: _Loaded | None = None
        self._current: Notification | None = None
        self._taken: set[int] = set()
        self._sending: threading.Thread | None = None

    def check(self) -> None:
        """Whether every line is an address that Apprise knows. Raises NotTaken."""
        self._services()

    def send(self, notification: Notification) -> None:
        """Send to all that have not taken this one yet. Raises NotTaken."""
        if self._sending is not None and self._sending.is_alive():
            raise NotTaken("a service has not answered to the message before")
        services = self._services()
        if notification != self._current:
            self._current, self._taken = notification, set()
        failures = self._send_in_time(services, notification)
        if failures:
            raise NotTaken("; ".join(dict.fromkeys(failures)))
        self._current = None

    def _send_in_time(self, services: Sequence[NotifyBase], notification: Notification) -> list[str]:
        failures: list[str] = []

        def send() -> None:
            for place, service in enumerate(services):
                if place not in self._taken:
                    failure = _sent(service, notification)
                    failures.append(failure) if failure else self._taken.add(place)

        self._sending = threading.Thread(target=send, name="tidegate-notify-send", daemon=True)
        self._sending.start()
        self._sending.join(self._seconds)
        if self._sending.is_alive():
            slow = next((str(one.service_name) for place, one in enumerate(services) if place not in self._taken), "")
            return [f"{slow} did not take it within {self._seconds:g} s"]
        return failures

    def _services(self) -> tuple[NotifyBase, ...]:
        """Read anew each time, so that another address counts without a restart."""
        try:
            text = self._read_urls()
        except OSError as error:
            raise NotTaken(f"the file with its addresses cannot be read: {error.strerror}") from None
        except ValueError:
            raise NotTaken("the file with its addresses is empty, or no text (UTF-8)") from None
        if self._loaded is None or self._loaded.text != text:
            self._loaded = _Loaded(text, _load(text))
            self._current = None
        return self._loaded.services


def _load(text: str) -> tuple[NotifyBase, ...]:
    _be_quiet()
    from apprise import Apprise, AppriseAsset

    # no threads of its own, and nothing is kept on the disk
    asset = AppriseAsset(async_mode=False, pgp_autogen=False, pem_autogen=False)
    services: list[NotifyBase] = []
    for number, line in enumerate(text.splitlines(), start=1):
        address = line.strip()
        if not address or address.startswith("#"):
            continue
        try:
            service = Apprise.instantiate(address, asset=asset)
        except Exception:  # whatever a service's module makes of a wrong address; its words may repeat it
            service = None
        if service is None:
            raise NotTaken(f"line {number} of the file with its addresses is none that Apprise knows")
        services.append(service)
    if not services:
        raise NotTaken("the file with its addresses has none")
    return tuple(services)


def _be_quiet() -> None:
    """What Apprise, and the HTTP library below it, say goes nowhere: parts of addresses may be in it."""
    own = logging.getLogger("apprise")
    if own.propagate:
        own.propagate = False
        own.addHandler(logging.NullHandler())
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _sent(service: NotifyBase, notification: Notification) -> str | None:
    """Send to one service; why it did not take it, else None."""
    from apprise import Apprise, NotifyFormat, NotifyType

    kind = NotifyType.INFO
    if notification.topic in _ASKS:
        kind = NotifyType.WARNING
    elif notification.topic in _BAD:
        kind = NotifyType.FAILURE
    elif notification.topic is Topic.RUN_SUCCEEDED:
        kind = NotifyType.SUCCESS
    alone: Apprise = Apprise()
    alone.add(service)
    try:
        result = alone.notify(
            body=notification.body, title=notification.title, notify_type=kind, body_format=NotifyFormat.TEXT
        )
        if result:
            return None
        statuses = [found[1] for entry in result.logs() if (found := _STATUS.search(entry.message))]
    except Exception as error:  # of a service's module
        return f"{service.service_name} failed ({type(error).__name__})"
    why = f"answered with status {statuses[-1]}" if statuses else "could not be reached, or did not take it"
    return f"{service.service_name} {why}"
