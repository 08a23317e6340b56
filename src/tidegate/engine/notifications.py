"""Notifications: every channel is told by a thread of its own, so that a slow one holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from tidegate.engine.parts import Parts
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.telling import Teller
from tidegate.integrations.notifier import Notifier, NotTaken
from tidegate.model.actor import Actor
from tidegate.model.channel import Channel, NotificationCursor
from tidegate.model.notification import trial_of
from tidegate.store import events, notification_queries, rows
from tidegate.store.database import StoreUnavailable

log = logging.getLogger(__name__)

AFTER_TROUBLE = timedelta(seconds=5)
LIST = "tidegate notify list"


class Notifications:
    """The channels of the server's configuration; `address` is where browsers find the server."""

    def __init__(
        self, parts: Parts, channels: Sequence[Channel], notifier_of: Callable[[Channel], Notifier], address: str
    ) -> None:
        self._parts = parts
        self._channels = tuple(channels)
        self._notifier_of = notifier_of
        self._address = address
        self._stopping = threading.Event()
        self._threads = tuple(
            threading.Thread(target=self._keep_telling, args=(one,), name=f"tidegate-notify-{one.name}", daemon=True)
            for one in self._channels
        )

    def start(self) -> None:
        """Begin to tell; channels that are new begin here."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, "channels")  # of two servers that start, one is the first
            notification_queries.forget_but(connection, {one.name for one in self._channels})
            known = {one.channel for one in notification_queries.cursors(connection)}
            newest = events.last_id(connection)
            for one in self._channels:
                if one.name not in known:
                    rows.put(connection, NotificationCursor(one.name, newest))
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Stop telling, for at most `timeout` seconds' wait in all; what is being sent is sent again after a start."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout / len(self._threads))

    def channels(self) -> tuple[tuple[Channel, NotificationCursor | None], ...]:
        """All of them in the order of the file, with how far each has been told."""
        with self._parts.database.reading() as connection:
            told = {one.channel: one for one in notification_queries.cursors(connection)}
        return tuple((one, told.get(one.name)) for one in self._channels)

    def test(self, name: str, actor: Actor) -> Channel:
        """Send a message to try a channel, now. Raises Refused where it does not arrive."""
        channel = next((one for one in self._channels if one.name == name), None)
        if channel is None:
            raise not_found("channel", name, LIST)
        try:
            # another notifier than the thread's: what that is sending does not hold this up
            self._notifier_of(channel).send(trial_of(name, actor.name, self._address))
        except NotTaken as failure:
            remedy = f"look at {channel.urls_file} in the server's data folder, then: tidegate notify test {name}"
            raise Refused(Refusal.CONFLICT, f"the message to {name} did not arrive: {failure}", remedy) from failure
        return channel

    def _keep_telling(self, channel: Channel) -> None:
        teller = Teller(self._parts, channel, self._notifier_of(channel), self._address)
        pause = timedelta(0)
        while not self._stopping.wait(pause.total_seconds()):
            try:
                pause = teller.look()
            except StoreUnavailable as error:
                log.error("notifications to %s: %s", channel.name, error)
                pause = AFTER_TROUBLE
            except Exception:
                log.exception("notifications to %s failed; they are tried again", channel.name)
                pause = AFTER_TROUBLE
        with suppress(StoreUnavailable):
            teller.let_go()
