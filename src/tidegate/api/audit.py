"""The record as an auditor needs it: whether it is whole, who signs it, and packs of evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, BinaryIO

from fastapi import Query
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from tidegate.api.event_answers import AuditAnswer, KeyAnswer, key_answer
from tidegate.api.fields import NAME, IdentifierPath, NoFields, ServicePath
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Auditor, Parts, Reader
from tidegate.security.permission import Permission

router = noun_router("audit", route_class=ActRoute)

_CHUNK_BYTES = 256 * 1024
_A_PACK: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}


@router.get("/audit")
def check_record(parts: Parts, _: Reader) -> AuditAnswer:
    """Whether the record is whole: every event's hash is computed again, and every checkpoint's signature checked."""
    return AuditAnswer.model_validate(parts.record.check())


@router.get("/audit/keys")
def list_keys(parts: Parts, _: Reader) -> list[KeyAnswer]:
    """The public keys that have signed the record, the present one last."""
    return [key_answer(one) for one in parts.record.public_keys()]


@router.post("/audit/keys", status_code=HTTPStatus.CREATED)
def rotate_key(parts: Parts, who: Administrator, _: NoFields) -> KeyAnswer:
    """Sign the record with a fresh key from now on."""
    parts.authority.check(who, Permission.ADMINISTER)
    return key_answer(parts.record.rotate(who.actor))


@router.get("/audit/export", response_class=Response, responses=_A_PACK)
def export_evidence(
    parts: Parts,
    who: Auditor,
    service: Annotated[str, Query(pattern=NAME)],
    begin: Annotated[date | None, Query(alias="from", description="The first day, in UTC")] = None,
    end: Annotated[date | None, Query(alias="to", description="The last day, in UTC")] = None,
) -> StreamingResponse:
    """All that happened to a service in a time, as a pack that verifies without this server."""
    parts.authority.check(who, Permission.AUDIT, service)
    return _sent(parts.evidence.of_service(service, begin, end), f"evidence-{service}.zip")


@router.get("/services/{name}/releases/{release}/record", response_class=Response, responses=_A_PACK)
def release_record(parts: Parts, _: Reader, name: ServicePath, release: IdentifierPath) -> StreamingResponse:
    """All that happened to a release, as a pack that verifies without this server."""
    return _sent(parts.evidence.of_release(name, release.lower()), f"release-{name}-{release.lower()}.zip")


def _sent(file: BinaryIO, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await run_in_threadpool(file.read, _CHUNK_BYTES):
            yield chunk
