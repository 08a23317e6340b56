"""The agent's side of the conversation with a server. The agent dials; the server never does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import httpx

from tidegate.agent.near import NearServer
from tidegate.agent.remote import is_loopback
from tidegate.agent.wire import (
    ARTIFACT_ANSWER,
    LEASE_REQUEST,
    LEASES,
    LOG_ANSWER,
    LOG_REQUEST,
    RENEW_ANSWER,
    RENEW_REQUEST,
    RESULT_ANSWER,
    RESULT_REQUEST,
    Held,
    LeaseRequest,
    LogRequest,
    RenewAnswer,
    RenewRequest,
    ResultAnswer,
    ResultRequest,
    decode,
    encode,
)
from tidegate.model.ids import Digest
from tidegate.model.lease import Lease, LogLine, StepReport

T = TypeVar("T")

_LONG_POLL = httpx.Timeout(10.0, read=35.0)
_SHORT = httpx.Timeout(10.0)
_BYTES = httpx.Timeout(10.0, read=120.0, write=120.0)
_KEEP_ALIVE_SECONDS = 4.0
"""Less than the five seconds after which uvicorn closes an idle connection: one that is closing is never reused."""

_CHUNK_BYTES = 256 * 1024


def _nothing() -> None:
    """What is done meanwhile where there is nothing to do."""


class ServerAway(Exception):
    """The server did not answer, or could not; asking again later may help. The message says what happened."""


class TurnedAway(ServerAway):
    """The server did not take this agent's token; a new one may be made for it at any time."""


class Refused(Exception):
    """The server answered that it does not want this (an old fence, an unknown step); asking again cannot help."""


class ArtifactDiffers(Exception):
    """The bytes that arrived are not the ones that were meant; the message gives both digests."""


@dataclass(slots=True)
class Backoff:
    """Growing pauses between attempts at reaching a server: 0.2 s, doubled up to 2 s."""

    stop: Event
    pause: float = 0.2

    def wait(self) -> None:
        """Pause; ends at once when the agent is to stop."""
        self.stop.wait(self.pause)
        self.pause = min(2.0, self.pause * 2)


@dataclass(slots=True)
class ServerLink:
    """Speaks for the agent `name` to the server at `url`; `read_token` gives the token, or raises OSError, and is asked
    again where the server does not know it. Safe for many threads.

    Every method raises ServerAway; those about one attempt raise Refused as well.
    """

    url: str
    read_token: Callable[[], str]
    name: str
    _token: str = ""
    _client: httpx.Client = field(init=False)
    _near: NearServer | None = None
    """For short requests, where the server is on this machine."""

    def __post_init__(self) -> None:
        limits = httpx.Limits(keepalive_expiry=_KEEP_ALIVE_SECONDS)
        # proxies of the environment are for other machines
        self._client = httpx.Client(base_url=self.url, limits=limits, trust_env=not is_loopback(self.url))
        if is_loopback(self.url) and self.url.startswith("http:"):
            self._near = NearServer(self.url, _KEEP_ALIVE_SECONDS)

    def close(self) -> None:
        """Hang up."""
        self._client.close()
        if self._near:
            self._near.close()

    def token(self) -> str:
        """The agent's token. Raises ServerAway where it cannot be read."""
        if not self._token:
            try:
                self._token = self.read_token()
            except OSError as error:
                raise ServerAway(f"the agent's token cannot be read: {error}") from error
        return self._token

    def lease(self, request: LeaseRequest) -> tuple[Lease, ...]:
        """Ask for work; waits on the server until there is some, or for some seconds. Raises Refused, too, where the
        server does not want this agent."""
        body = encode(LEASE_REQUEST, request)
        return self._ask(f"/agents/{quote(self.name, safe='')}/lease", body, LEASES.validate_json, _LONG_POLL)

    def renew(self, held: Sequence[Held]) -> RenewAnswer:
        """Say what is still being performed, and hear what is to be cancelled or forgotten."""
        body = encode(RENEW_REQUEST, RenewRequest(tuple(held)))
        return self._ask(f"/agents/{quote(self.name, safe='')}/renew", body, RENEW_ANSWER.validate_json)

    def log(self, held: Held, first: int, lines: Sequence[LogLine]) -> int:
        """Send lines of a log; gives the index of the line that the server wants next."""
        body = encode(LOG_REQUEST, LogRequest(held.attempt, held.fence, first, tuple(lines)))
        return self._ask(f"/steps/{quote(held.step_run, safe='')}/log", body, LOG_ANSWER.validate_json).next

    def result(
        self,
        held: Held,
        report: StepReport,
        then: LeaseRequest | None = None,
        began: tuple[Held, ...] = (),
        meanwhile: Callable[[], object] = _nothing,
    ) -> ResultAnswer:
        """Report how an attempt ended, and ask for what comes next; `began` is what was begun by itself meanwhile.

        `meanwhile` is called before the answer is read, where the server can be reached.
        """
        agent = self.name if then else None
        body = encode(RESULT_REQUEST, ResultRequest(held.attempt, held.fence, report, agent, then, began))
        path = f"/steps/{quote(held.step_run, safe='')}/result"
        return self._ask(path, body, RESULT_ANSWER.validate_json, meanwhile=meanwhile)

    def upload(self, file: BinaryIO) -> tuple[Digest, int]:
        """Send the bytes of an artifact; gives their digest and size. Raises ArtifactDiffers."""
        sent = _Hashed(file)
        answer = self._send("PUT", "/artifacts", sent.chunks(), "application/octet-stream", _BYTES)
        kept = decode(ARTIFACT_ANSWER, answer.content)
        if kept.digest != sent.digest or kept.size != sent.size:
            raise ArtifactDiffers(f"the server kept {kept.digest} of what was sent as {sent.digest}")
        return sent.digest, sent.size

    def download(self, digest: Digest, path: Path) -> None:
        """Write the bytes of an artifact to `path`, whole and checked or not at all. Raises ArtifactDiffers."""
        new = path.with_name(f".{path.name}.new")
        hasher = hashlib.sha256()
        try:
            with self._client.stream(
                "GET", f"/api/v1/artifacts/{quote(digest)}", headers=self._headers(), timeout=_BYTES
            ) as answer:
                self._check(answer)
                with new.open("wb") as file:
                    for chunk in answer.iter_bytes(_CHUNK_BYTES):
                        hasher.update(chunk)
                        file.write(chunk)
            if f"sha256:{hasher.hexdigest()}" != digest:
                raise ArtifactDiffers(f"the bytes that came for {digest} are sha256:{hasher.hexdigest()}")
            new.rename(path)
        except httpx.HTTPError as error:
            raise ServerAway(f"{self.url}: {error}") from error
        finally:
            new.unlink(missing_ok=True)

    def _ask(
        self,
        path: str,
        body: bytes,
        read: Callable[[bytes], T],
        timeout: httpx.Timeout = _SHORT,
        meanwhile: Callable[[], object] = _nothing,
    ) -> T:
        if self._near:
            content = self._post_near(self._near, path, body, timeout, meanwhile)
        else:
            meanwhile()
            content = self._post(path, body, timeout)
        try:
            return read(content)
        except ValueError as error:
            raise ServerAway(f"{self.url}{path} answered what cannot be read: {error}") from error

    def _post_near(
        self, near: NearServer, path: str, body: bytes, timeout: httpx.Timeout, meanwhile: Callable[[], object]
    ) -> bytes:
        headers = {**self._headers(), "Content-Type": "application/json"}
        try:
            status, content = near.post(f"/api/v1{path}", body, headers, timeout.read or 0, meanwhile)
        except (OSError, HTTPException) as error:
            raise ServerAway(f"{self.url}: {error or type(error).__name__}") from error
        if status != HTTPStatus.OK:
            self._check(httpx.Response(status, content=content, request=httpx.Request("POST", self.url + path)))
        return content

    def _post(self, path: str, body: bytes, timeout: httpx.Timeout) -> bytes:
        return self._send("POST", path, body, "application/json", timeout).content

    def _send(
        self, method: str, path: str, body: bytes | Iterator[bytes], kind: str, timeout: httpx.Timeout
    ) -> httpx.Response:
        headers = {**self._headers(), "Content-Type": kind}
        try:
            answer = self._client.request(method, f"/api/v1{path}", content=body, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise ServerAway(f"{self.url}: {error or type(error).__name__}") from error
        self._check(answer)
        return answer

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        said = f"{answer.request.url} answered {answer.status_code}: {_in_words(answer)}"
        if answer.status_code in (404, 409, 410):
            raise Refused(said)
        if answer.status_code == 401:
            said = (
                f"{answer.request.url} answered 401: it does not know this agent's token; was the agent removed? "
                f"A new one is made by: tidegate agents token {self.name}"
            )
        if answer.status_code in (401, 403):
            self._token = ""
            raise TurnedAway(said)
        raise ServerAway(said)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}


def _in_words(answer: httpx.Response) -> str:
    """What a server says that cannot do what it was asked: the problem and the remedy."""
    try:
        problem = answer.json()
        words = [str(problem["detail"]), *([str(problem["remedy"])] if problem.get("remedy") else [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.text[:500]
    return "; ".join(words)[:1000]


class _Hashed:
    """Counts and hashes what is read of a file, so that what is checked is what was sent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hasher = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{self._hasher.hexdigest()}")

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0, os.SEEK_SET)
        while chunk := self._file.read(_CHUNK_BYTES):
            self._hasher.update(chunk)
            self.size += len(chunk)
            yield chunk
