"""Artifacts: bytes in and out, streamed, under the digest of their content."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Annotated, BinaryIO

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import Path, Request
from fastapi.responses import Response, StreamingResponse

from tidegate.api.answers import Answer
from tidegate.api.fields import DIGEST
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import noun_router
from tidegate.api.security import Agent, Fetcher, Parts
from tidegate.model.ids import Digest

router = noun_router("artifacts", prefix="/artifacts")

AT_ONCE = 8
"""Uploads, and downloads, that are read or written at a time; each holds a thread, apart from those of other routes."""

_CHUNK_BYTES = 256 * 1024
_TOO_LARGE = HTTPStatus(413)


class KeptAnswer(Answer):
    """What was kept."""

    digest: str
    size: int


@router.put("", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}})
async def put_artifact(parts: Parts, _: Agent, request: Request) -> KeptAnswer:
    """Keep the bytes of the body."""
    upload = _Upload(request, parts.artifact_bytes)
    digest = await to_thread.run_sync(parts.artifacts.put, upload.chunks(), limiter=_limiter(request))
    return KeptAnswer(digest=digest, size=upload.size)


@router.get("/{digest}", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}})
async def get_artifact(
    parts: Parts, _: Fetcher, digest: Annotated[str, Path(pattern=DIGEST)], request: Request
) -> StreamingResponse:
    """The bytes, checked against the digest before the first is sent."""
    limiter = _limiter(request)
    file = await to_thread.run_sync(parts.artifacts.open, Digest(digest), limiter=limiter)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    headers = {"Content-Length": str(size), "Content-Disposition": "attachment"}
    return StreamingResponse(_read(file, limiter), media_type="application/octet-stream", headers=headers)


class _Upload:
    """A request's body, for a thread that wants its chunks one after another."""

    def __init__(self, request: Request, at_most: int) -> None:
        self._stream = request.stream()
        self._at_most = at_most
        self.size = 0

    def chunks(self) -> Iterator[bytes]:
        while (chunk := from_thread.run(self._next)) is not None:
            self.size += len(chunk)
            if self.size > self._at_most:
                raise ProblemRaised(_TOO_LARGE, f"an artifact has at most {self._at_most} bytes here")
            if chunk:
                yield chunk

    async def _next(self) -> bytes | None:
        return await anext(self._stream, None)


async def _read(file: BinaryIO, limiter: CapacityLimiter) -> AsyncIterator[bytes]:
    with file:
        while chunk := await to_thread.run_sync(file.read, _CHUNK_BYTES, limiter=limiter):
            yield chunk


def _limiter(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.transfers
    return limiter
