"""The mirrors of services' repositories, read-only, for agents on other machines: git's smart HTTP protocol.

See gitprotocol-http(5). Only `git-upload-pack` exists here, which sends; what receives does not.
"""

from __future__ import annotations

import zlib
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from tidegate.api.fields import ServicePath
from tidegate.api.parts import ApiParts
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import noun_router
from tidegate.api.security import Agent, Parts
from tidegate.engine.refusal import not_found
from tidegate.integrations.upload_pack import Busy, Transfer, Transfers
from tidegate.model.ids import ServiceName
from tidegate.model.lease import THROUGH_SERVER
from tidegate.store import queries

router = noun_router("agents", prefix="/git")

UPLOAD_PACK = "git-upload-pack"
REQUEST_BYTES = 4 * 1024 * 1024
"""The largest request once it is unpacked: a client names what it has in a few bytes a commit."""

_TYPE = f"application/x-{UPLOAD_PACK}"
_RETRY_AFTER_SECONDS = 5

Protocol = Annotated[str | None, Header(alias="Git-Protocol", max_length=200)]


def source_through_server(service: ServiceName) -> str:
    """What an agent's lease says of where the commits are."""
    return f"{THROUGH_SERVER}/api/v1/git/{service}.git"


@router.get("/{name}.git/info/refs", response_class=Response)
async def list_refs(
    parts: Parts,
    _: Agent,
    name: ServicePath,
    request: Request,
    service: Annotated[str, Query(max_length=100, description=f"{UPLOAD_PACK}, and nothing else")],
    protocol: Protocol = None,
) -> Response:
    """What the repository has."""
    if service != UPLOAD_PACK:
        raise ProblemRaised(
            HTTPStatus.FORBIDDEN, f"{service!r} is not served here: repositories are only read", "git fetch"
        )
    folder = await run_in_threadpool(_folder, parts, name)
    return await _streamed(request, folder, protocol, None)


@router.post("/{name}.git/git-upload-pack", response_class=Response)
async def send_pack(parts: Parts, _: Agent, name: ServicePath, request: Request, protocol: Protocol = None) -> Response:
    """Commits that the client asks for."""
    if request.headers.get("content-type") != f"{_TYPE}-request":
        raise ProblemRaised(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be {_TYPE}-request", "git fetch")
    folder = await run_in_threadpool(_folder, parts, name)
    return await _streamed(request, folder, protocol, await _asked(request))


class _Sent(StreamingResponse):
    """A transfer on its way to the client, ended when the client is gone."""

    def __init__(self, transfer: Transfer, media_type: str) -> None:
        super().__init__(transfer.chunks(), media_type=media_type, headers={"Cache-Control": "no-cache"})
        self._transfer = transfer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._transfer.end()


def _folder(parts: ApiParts, name: str) -> Path:
    """The mirror of a known service. Raises Refused."""
    with parts.engine.parts.database.reading() as connection:
        service = queries.service(connection, name)
    folder = Path(parts.engine.parts.sources.source_of(service.name)) if service else None
    if folder is None or not folder.is_dir():
        raise not_found("service", name, "tidegate service list")
    return folder


async def _streamed(request: Request, folder: Path, protocol: str | None, asked: bytes | None) -> Response:
    transfers: Transfers = request.app.state.git_transfers
    try:
        if asked is None:
            return _Sent(await transfers.advertise(folder, protocol), f"{_TYPE}-advertisement")
        return _Sent(await transfers.answer(folder, protocol, asked), f"{_TYPE}-result")
    except Busy as error:
        again = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
        raise ProblemRaised(HTTPStatus.SERVICE_UNAVAILABLE, str(error), None, again) from error


async def _asked(request: Request) -> bytes:
    """The body; clients compress larger ones."""
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise ProblemRaised(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is plain, or compressed with gzip")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        plain = unpacker.decompress(body, REQUEST_BYTES)
    except zlib.error:
        raise ProblemRaised(HTTPStatus.BAD_REQUEST, "the body says that it is gzip, and is not") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ProblemRaised(HTTPStatus(413), f"a request has at most {REQUEST_BYTES} bytes")
    return plain
