"""The server that a command talks to: how it is found, and its answers as values or as a command's failure."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.cli.connection import (
    ANSWER_SECONDS,
    LONG_SECONDS,
    Answer,
    Connection,
    ServerAway,
    checked_server_url,
    path_of,
)
from tidegate.cli.data_folder import (
    admin_token_file,
    command_for,
    known_server_file,
    read_known_server,
    resolve_data_folder,
)
from tidegate.cli.exit_code import CommandFailed, ExitCode

Document = dict[str, Any]
"""A JSON object of the HTTP API."""

RECONNECT_SECONDS = 60.0
"""How long a command that follows something bears with a server that does not answer: a restart takes a few."""
_PAUSE_SECONDS = 0.5
_STREAM_WAS_OPEN_SECONDS = 5.0
"""A stream that failed later than that had been open: it was lost, not refused."""

_CODES = {
    400: ExitCode.USAGE,
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.USAGE,
    422: ExitCode.USAGE,
    423: ExitCode.REFUSED,
    429: ExitCode.REFUSED,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.UNREACHABLE,
}
"""All others that are no success: the thing asked about failed."""


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one server. `remedy` is what to do when it does not answer.

    Every method raises CommandFailed: with what the server said, or UNREACHABLE.
    """

    connection: Connection
    remedy: str
    unauthorized: str
    """What to do when the token is not accepted."""

    def get(self, *names: str, **query: object) -> Any:
        """The value at `/api/v1/` and the names."""
        return self._ask("GET", names, query)

    def at_length(self, *names: str) -> Any:
        """As `get`, of what takes a server minutes where its record is long."""
        return self._ask("GET", names, seconds=LONG_SECONDS)

    def download(self, to: Path, /, *names: str, **query: object) -> None:
        """Write the file at `/api/v1/` and the names to a path; what was there is replaced at the end, or not at all.

        Raises OSError where it cannot be written."""
        if not to.parent.is_dir():
            raise CommandFailed(ExitCode.USAGE, f"{to} cannot be written: there is no folder {to.parent}")
        with tempfile.NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}-", delete=False) as file:
            part = Path(file.name)
            try:
                answer = self.connection.download(path_of(*names), file.write, query)
                self._value(answer)
                file.close()
                os.replace(part, to)
            except ServerAway as away:
                raise self._unreachable(away) from away
            finally:
                part.unlink(missing_ok=True)

    def post(self, *names: str, body: Mapping[str, object] | None = None, seconds: float = ANSWER_SECONDS) -> Any:
        """Do something, once: sent again, it has the same idempotency key."""
        return self._ask("POST", names, body=body or {}, seconds=seconds)

    def put(self, *names: str, body: Mapping[str, object]) -> Any:
        """Set something."""
        return self._ask("PUT", names, body=body)

    def delete(self, *names: str) -> Any:
        """Remove something."""
        return self._ask("DELETE", names)

    def items(self, *names: str, **query: object) -> list[Document]:
        """The list at `/api/v1/` and the names: of a page, its items."""
        answer = self.get(*names, **query)
        return list(answer["items"] if isinstance(answer, dict) else answer)

    def patiently(self, *names: str, **query: object) -> Any:
        """As `get`, but bear with a server that is being started again."""
        give_up_at = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                return self.get(*names, **query)
            except CommandFailed as failed:
                if failed.code is not ExitCode.UNREACHABLE or time.monotonic() > give_up_at:
                    raise
            time.sleep(_PAUSE_SECONDS)

    def events(self, after: int | None, **query: object) -> Iterator[Document]:
        """Every event after that one (without it, from now on), for ever; a lost stream is taken up where it was."""
        path = path_of("events")
        last = after
        give_up_at = time.monotonic() + RECONNECT_SECONDS
        while True:
            opened_at = time.monotonic()
            try:
                for answer in self.connection.stream(path, {**query, "after": after}, last):
                    event = self._value(answer)
                    last = int(event["id"])
                    yield event
            except ServerAway as away:
                if time.monotonic() - opened_at > _STREAM_WAS_OPEN_SECONDS:
                    give_up_at = time.monotonic() + RECONNECT_SECONDS
                if time.monotonic() > give_up_at:
                    raise self._unreachable(away) from away
            time.sleep(_PAUSE_SECONDS)

    def _ask(
        self,
        method: str,
        names: tuple[str, ...],
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        headers = {} if method == "GET" else {"Idempotency-Key": os.urandom(16).hex()}
        try:
            answer = self.connection.request(method, path_of(*names), query, body, headers, seconds)
        except ServerAway as away:
            raise self._unreachable(away) from away
        return self._value(answer)

    def _value(self, answer: Answer) -> Any:
        try:
            value = answer.document()
        except ValueError:
            value = None
            if answer.status < 400:
                raise CommandFailed(
                    ExitCode.UNREACHABLE,
                    f"what answers at {self.connection.url} is not a Tidegate server (it sent {answer.content_type})",
                    self.remedy,
                ) from None
        if answer.status < 300:
            return value
        raise self._failure(answer.status, value if isinstance(value, dict) else {})

    def _failure(self, status: int, problem: Document) -> CommandFailed:
        detail = problem.get("detail") or problem.get("title") or f"the server answered with status {status}"
        if isinstance(detail, list):  # how FastAPI reports what is wrong in a request
            detail = "; ".join(str(one.get("msg", one)) if isinstance(one, dict) else str(one) for one in detail)
        remedy = problem.get("remedy")
        if status == 401:
            remedy = self.unauthorized  # the server's own words are for programs, about a header
        if 300 <= status < 400:
            detail = f"{self.connection.url} sends requests elsewhere; name the address of the server itself"
        return CommandFailed(_CODES.get(status, ExitCode.FAILED), str(detail), str(remedy) if remedy else None)

    def _unreachable(self, away: ServerAway) -> CommandFailed:
        return CommandFailed(ExitCode.UNREACHABLE, f"no server answers at {self.connection.url}: {away}", self.remedy)


def find_client(data: Path | None) -> Client:
    """The client for the server that is meant: of the folder `data`, else of TIDEGATE_SERVER, else of the default
    data folder. The token of a data folder is sent to its own server only; TIDEGATE_TOKEN goes before it, unless it is
    for the server of TIDEGATE_SERVER.

    Raises CommandFailed.
    """
    address = os.environ.get("TIDEGATE_SERVER")
    if data is None and address:
        try:
            url = checked_server_url(address)
        except ValueError as error:
            raise CommandFailed(ExitCode.USAGE, f"TIDEGATE_SERVER: {error}") from None
        return Client(
            Connection(url, os.environ.get("TIDEGATE_TOKEN") or None),
            remedy="check TIDEGATE_SERVER, and that the server runs: tidegate server",
            unauthorized="set TIDEGATE_TOKEN to a token of that server",
        )
    return _local_client(resolve_data_folder(data), None if address else _wanted_token())


def _wanted_token() -> str | None:
    """As whom to act on this machine's server, where it is not its administrator."""
    token = os.environ.get("TIDEGATE_TOKEN")
    if token is not None and not token.strip():
        raise CommandFailed(
            ExitCode.USAGE,
            "TIDEGATE_TOKEN is set and empty",
            "give it a token, or act as this machine's administrator: unset TIDEGATE_TOKEN",
        )
    return token


def _local_client(data: Path, wanted: str | None) -> Client:
    start = command_for("server", data)
    try:
        known = read_known_server(data)
        token = wanted or (admin_token_file(data).read_text(encoding="utf-8").strip() if known else "")
    except FileNotFoundError:
        raise CommandFailed(
            ExitCode.UNREACHABLE, f"there is no token in {admin_token_file(data)}", f"start the server again: {start}"
        ) from None
    except PermissionError as error:
        raise CommandFailed(
            ExitCode.REFUSED,
            f"{error.filename} cannot be read by this user",
            "run the command as the server's user, or set TIDEGATE_SERVER and TIDEGATE_TOKEN",
        ) from None
    if known is None:
        raise CommandFailed(
            ExitCode.UNREACHABLE, f"no server runs on {data}: there is no {known_server_file(data).name} in it", start
        )
    try:
        url = checked_server_url(known.address)
    except ValueError as error:
        raise CommandFailed(ExitCode.UNREACHABLE, f"{known_server_file(data)}: {error}", start) from None
    return Client(
        Connection(url, token),
        remedy=start,
        unauthorized="TIDEGATE_TOKEN is no token of that server"
        if wanted
        else f"{admin_token_file(data)} is not of the server at {url}; start it again: {start}",
    )
