"""Requests to a server on this machine. A client for all that HTTP knows (proxies, redirects, encryption) takes four
times as long for each, and an agent sends some for every step."""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit


class _Connection(http.client.HTTPConnection):
    """Sends the head and the body of a request together: apart they wake the server twice."""

    def __init__(self, host: str, port: int | None) -> None:
        super().__init__(host, port)
        self._unsent: list[bytes] = []

    def send(self, data: Any) -> None:
        """Keep a part of a request for `send_all`."""
        self._unsent.append(bytes(data))

    def send_all(self) -> None:
        """Send what was kept."""
        whole, self._unsent = b"".join(self._unsent), []
        super().send(whole)


@dataclass(slots=True)
class NearServer:
    """Sends to a plain `http://` server, over connections that are kept for at most `keep_seconds`. Safe for many
    threads."""

    url: str
    keep_seconds: float
    _free: list[tuple[_Connection, float]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> tuple[int, bytes]:
        """The status and the body of the answer, for each part of which it waits `seconds`. `meanwhile` is called when
        all is sent.

        Raises OSError or http.client.HTTPException; what was sent may have arrived by then.
        """
        connection = self._kept() or self._new()
        try:
            connection.timeout = seconds
            if connection.sock is not None:
                connection.sock.settimeout(seconds)
            connection.request("POST", urlsplit(self.url).path.rstrip("/") + path, body, dict(headers))
            connection.send_all()
            meanwhile()
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # else the server said that it closes it
            with self._lock:
                self._free.append((connection, time.monotonic() + self.keep_seconds))
        return answer.status, content

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            free, self._free = self._free, []
        for connection, _ in free:
            connection.close()

    def _kept(self) -> _Connection | None:
        """The connection that was used last, unless the server has closed it."""
        while True:
            with self._lock:
                if not self._free:
                    return None
                connection, until = self._free.pop()
            if time.monotonic() < until and not _is_readable(connection):
                return connection
            connection.close()

    def _new(self) -> _Connection:
        address = urlsplit(self.url)
        return _Connection(address.hostname or "", address.port)


def _is_readable(connection: http.client.HTTPConnection) -> bool:
    """Nothing may come on a connection on which nothing was asked, but its end."""
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return bool(poller.poll(0))
