"""Events: as a stream that goes on (Server-Sent Events), or one page of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from tidegate.api.event_answers import EventAnswer, event_answer
from tidegate.api.fields import IDENTIFIER, ServiceQuery
from tidegate.api.parts import ApiParts
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader
from tidegate.model.event import RecordedEvent
from tidegate.store import events

router = noun_router("events")

PAGE = 1000
ALIVE_EVERY_SECONDS = 15.0
LISTENERS_AT_MOST = 200

_STREAM_DOCS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`id: N`, `event: KIND`, `data: {an event}`, for ever; with `Accept: application/json` one page",
        "content": {
            "text/event-stream": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/EventAnswer"}}},
        },
    }
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody listens for."""

    service: str | None
    run: str | None

    def after(self, connection: Connection, last: int) -> tuple[RecordedEvent, ...]:
        """The next of them, at most a page."""
        if self.run:
            found = events.of_run(connection, self.run, last, PAGE)
            return tuple(one for one in found if self.service in (None, one.event.about.get("service")))
        if self.service:
            return events.of_service(connection, self.service, last, PAGE)
        return events.since(connection, last, PAGE)


@router.get("/events", response_class=Response, responses=_STREAM_DOCS)
async def stream_events(
    parts: Parts,
    _: Reader,
    request: Request,
    service: ServiceQuery = None,
    run: Annotated[str | None, Query(pattern=IDENTIFIER)] = None,
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**62)] = None,
) -> Response:
    """Events as they happen: after `Last-Event-ID`, else after `after`, else from now on."""
    wanted = Wanted(service, run.lower() if run else None)
    begin = last_event_id if last_event_id is not None else after
    if "application/json" in request.headers.get("accept", ""):
        page = await run_in_threadpool(_read, parts, wanted, begin or 0)
        return JSONResponse([event_answer(one).model_dump(mode="json") for one in page])
    listeners: set[Request] = request.app.state.listeners
    if len(listeners) >= LISTENERS_AT_MOST:
        raise ProblemRaised(HTTPStatus.SERVICE_UNAVAILABLE, f"{LISTENERS_AT_MOST} listen to events already")
    if begin is None:
        begin = await parts.events.newer_than(0, 0)
    return StreamingResponse(
        _stream(parts, wanted, begin, request), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _stream(parts: ApiParts, wanted: Wanted, last: int, request: Request) -> AsyncIterator[str]:
    listeners: set[Request] = request.app.state.listeners
    listeners.add(request)
    try:
        yield ": listening\n\n"
        seen = last
        while True:
            page = await run_in_threadpool(_read, parts, wanted, last)
            for recorded in page:
                last = recorded.id
                yield _message(event_answer(recorded))
            if len(page) == PAGE:
                continue
            seen = max(seen, last)
            newest = await parts.events.newer_than(seen, ALIVE_EVERY_SECONDS)
            if newest <= seen:
                yield ": alive\n\n"
            seen = newest
    finally:
        listeners.discard(request)


def _read(parts: ApiParts, wanted: Wanted, last: int) -> tuple[RecordedEvent, ...]:
    with parts.engine.parts.database.reading() as connection:
        return wanted.after(connection, last)


def _message(event: EventAnswer) -> str:
    """One message of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return f"id: {event.id}\nevent: {event.kind.value}\ndata: {event.model_dump_json()}\n\n"
