"""Telling open pages to look again (Server-Sent Events)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tidegate.engine.refusal import Refusal, Refused
from tidegate.model.event import EventKind
from tidegate.store import events, run_queries
from tidegate.web.guard import Parts, Seen
from tidegate.web.parts import PageParts

router = APIRouter(include_in_schema=False)

TICK_SECONDS = 2.0
"""A run that goes on is drawn this often even without an event: figures and times change silently."""

ALIVE_SECONDS = 15.0
PAGES_AT_MOST = 100
_OF_ALL = (EventKind.FREEZE_SET, EventKind.FREEZE_BEGAN, EventKind.FREEZE_ENDED, EventKind.FREEZE_LIFTED)
"""May concern every service, and name none."""


@router.get("/live")
async def tell_changes(
    parts: Parts,
    _: Seen,
    request: Request,
    run: Annotated[str | None, Query(pattern=r"^[0-9A-Za-z-]{1,64}$")] = None,
    service: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,40}$")] = None,
) -> StreamingResponse:
    """`event: changed` whenever the page should look again: about a run, a service, or all."""
    open_pages: set[Request] = request.app.state.open_pages
    if len(open_pages) >= PAGES_AT_MOST:
        raise Refused(Refusal.CONFLICT, f"{PAGES_AT_MOST} pages are open already; this one does not change by itself")
    return StreamingResponse(
        _stream(parts, run.lower() if run else None, service, open_pages, request),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(
    parts: PageParts, run: str | None, service: str | None, open_pages: set[Request], request: Request
) -> AsyncIterator[str]:
    open_pages.add(request)
    try:
        yield ": listening\n\n"
        last = await parts.events.newer_than(0, 0)
        # what happened between the drawing of the page and now is on no page yet
        yield f"event: changed\ndata: {last}\n\n"
        while True:
            ticks = run is not None and await run_in_threadpool(_goes_on, parts, run)
            newest = await parts.events.newer_than(last, TICK_SECONDS if ticks else ALIVE_SECONDS)
            if ticks or (newest > last and await run_in_threadpool(_concerns, parts, run, service, last)):
                yield f"event: changed\ndata: {newest}\n\n"
            elif newest == last:
                yield ": alive\n\n"
            last = newest
    finally:
        open_pages.discard(request)


def _goes_on(parts: PageParts, run: str) -> bool:
    with parts.engine.parts.database.reading() as connection:
        record = run_queries.record_of(connection, run)
    if record is None:
        return False
    return not record.run.status.is_ended or any(not one.state.is_ended for one in record.rollouts)


def _concerns(parts: PageParts, run: str | None, service: str | None, last: int) -> bool:
    with parts.engine.parts.database.reading() as connection:
        if run:
            return bool(events.of_run(connection, run, last, 1))
        if service:
            return bool(events.of_service(connection, service, last, 1)) or events.any_of(connection, _OF_ALL, last)
    return True
