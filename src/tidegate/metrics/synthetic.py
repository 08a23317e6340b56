"""Synthetic requests: traffic for placements that have no users, so that there is something to judge."""

from __future__ import annotations

import contextlib
import http.client
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tidegate.model.ids import PlacementId

USER_AGENT = "tidegate-synthetic"
_MOST_SENDERS = 8
_LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SyntheticRequests:
    """GET requests to `url` (http), `per_second` of them on average, evenly spread.

    Raises ValueError for another scheme or a rate that is not positive.
    """

    url: str
    per_second: float

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"synthetic requests cannot be sent to {self.url}; give an http:// address")
        if not 0 < self.per_second < math.inf:
            raise ValueError(f"{self.per_second:g} requests a second cannot be sent; give a rate above 0/s")


class SyntheticSender:
    """Sends what is wanted from threads of its own until something else is. What becomes of a request is for the
    router to count. At most 8 requests a placement are under way; beyond that, requests are left out, not saved up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[PlacementId, _Stream] = {}

    def set_wanted(self, wanted: Mapping[PlacementId, SyntheticRequests]) -> None:
        """Send exactly this from now on; a placement whose traffic is unchanged goes on undisturbed."""
        with self._lock:
            for placement, stream in list(self._streams.items()):
                if wanted.get(placement) != stream.traffic:
                    self._streams.pop(placement).stop()
            for placement, traffic in wanted.items():
                if placement not in self._streams:
                    self._streams[placement] = _Stream(placement, traffic)

    def stop(self) -> None:
        """Send nothing any more; requests under way are left to end by themselves."""
        self.set_wanted({})


class _Stream:
    """The traffic of one placement: each sender takes every n-th request."""

    def __init__(self, placement: PlacementId, traffic: SyntheticRequests) -> None:
        self.traffic = traffic
        self._stopped = threading.Event()
        senders = min(_MOST_SENDERS, math.ceil(traffic.per_second))
        begin = time.monotonic()
        for index in range(senders):
            threading.Thread(
                target=self._send_on,
                args=(begin + index / traffic.per_second, senders / traffic.per_second),
                name=f"tidegate-synthetic {placement}",
                daemon=True,
            ).start()

    def stop(self) -> None:
        self._stopped.set()

    def _send_on(self, first: float, interval: float) -> None:
        due = first
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            _send(self.traffic.url)
            missed = math.floor(max(0.0, time.monotonic() - due) / interval)
            due += interval * (1 + missed)


def _send(url: str) -> None:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_LIMIT_SECONDS)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path, headers={"User-Agent": USER_AGENT, "Connection": "close"})
        connection.getresponse().read()
    connection.close()
