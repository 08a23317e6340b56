"""HTTP to one server: requests, answers, and a stream of events. Only the standard library, which starts fast."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

ANSWER_SECONDS = 30.0
LONG_SECONDS = 600.0
"""Where a server looks at the whole record before it answers."""

_PIECE_BYTES = 256 * 1024
STREAM_SILENCE_SECONDS = 60.0
"""A stream that says nothing for so long, not even that it is alive, is opened again."""


class ServerAway(Exception):
    """No answer came; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes

    def document(self) -> Any:
        """The JSON value in it, None where it is empty. Raises ValueError where it is something else."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Connection:
    """Where requests go, with the token that they carry. `url` is checked: see `checked_server_url`."""

    url: str
    token: str | None = field(default=None, repr=False)
    _kept: list[http.client.HTTPConnection] = field(default_factory=list, init=False, repr=False)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Ask once and give the answer, whatever its status. Raises ServerAway.

        A connection that the server closed meanwhile is opened again; an act that may have arrived is safe to send
        again because it carries its idempotency key.
        """
        sent = {"Accept": "application/json", "User-Agent": "tidegate", **(headers or {}), **self._authorization()}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        target = self._target(path, query)
        reused = bool(self._kept)
        connection = self._kept.pop() if reused else self._connect(seconds)
        try:
            return self._exchange(connection, method, target, content, sent, seconds)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            connection.close()
            if not reused:
                raise ServerAway(_in_words(error)) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ServerAway(_in_words(error)) from error
        return self.request(method, path, query, body, headers, seconds)

    def download(
        self, path: str, write: Callable[[bytes], object], query: Mapping[str, object] | None = None
    ) -> Answer:
        """Give what is at a path to `write`, piece by piece. Gives the answer: without its body, where there was
        something; else whole, and nothing is written. Raises ServerAway."""
        headers = {"Accept": "*/*", "User-Agent": "tidegate", **self._authorization()}
        connection = self._connect(LONG_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", self._target(path, query), headers=headers)
                response = connection.getresponse()
                kind = response.headers.get_content_type()
                if response.status != http.client.OK:
                    return Answer(response.status, kind, response.read())
                while piece := response.read(_PIECE_BYTES):
                    write(piece)
                return Answer(response.status, kind, b"")
            except http.client.HTTPException as error:
                raise ServerAway(_in_words(error)) from error
            except OSError as error:
                raise ServerAway(_in_words(error)) from error

    def stream(
        self, path: str, query: Mapping[str, object] | None = None, after: int | None = None
    ) -> Iterator[Answer]:
        """The messages of a Server-Sent Events stream, each as an answer with its data; a first one with another
        status than 200 is the only one. Ends when the server ends it. Raises ServerAway.

        https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        headers = {"Accept": "text/event-stream", **self._authorization()}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        connection = self._connect(STREAM_SILENCE_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", self._target(path, query), headers=headers)
                response = connection.getresponse()
                kind = response.headers.get_content_type()
                if response.status != http.client.OK or kind != "text/event-stream":
                    yield Answer(response.status, kind, response.read())
                    return
                for data in _messages(response):
                    yield Answer(response.status, "application/json", data)
            except (OSError, http.client.HTTPException) as error:
                raise ServerAway(_in_words(error)) from error

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        content: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Answer:
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        connection.request(method, target, body=content, headers=dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.headers.get_content_type(), response.read())
        if response.will_close:
            connection.close()
        else:
            self._kept.append(connection)
        return answer

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=seconds)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _target(self, path: str, query: Mapping[str, object] | None) -> str:
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        return urlsplit(self.url).path.rstrip("/") + path + (f"?{urlencode(wanted)}" if wanted else "")


def checked_server_url(text: str) -> str:
    """The same address without a slash at its end. Raises ValueError, with the remedy, where it is none."""
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is not the address of a server; write one like http://127.0.0.1:8470")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the address of a server holds no user, password or query; the token goes into TIDEGATE_TOKEN")
    return text.rstrip("/")


def path_of(*names: str) -> str:
    """`/api/v1/…` with each name quoted as one part of the path."""
    return "/api/v1/" + "/".join(quote(name, safe="") for name in names)


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _messages(response: http.client.HTTPResponse) -> Iterator[bytes]:
    data: list[bytes] = []
    for raw in response:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
