"""The logs of steps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse

from tidegate.api.answers import Answer
from tidegate.api.fields import MOST_ATTEMPTS, MOST_LINES, IdentifierPath
from tidegate.api.parts import ApiParts
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.step_run import StepRun
from tidegate.store import queries

router = noun_router("steps", prefix="/steps")

AttemptQuery = Annotated[int | None, Query(ge=1, le=MOST_ATTEMPTS, description="The newest where none is named")]


class LineAnswer(Answer):
    """A line of output, stamped when the agent read it; `index` counts from 0."""

    index: int
    at: datetime
    text: str


class LogAnswer(Answer):
    """Lines of a log; `next` is what `first` wants for those after; `ended` says that no more will come."""

    lines: list[LineAnswer]
    next: int
    ended: bool


@router.get("/{step_run}/log")
def read_log(
    parts: Parts,
    _: Reader,
    step_run: IdentifierPath,
    attempt: AttemptQuery = None,
    first: Annotated[int, Query(ge=0, le=MOST_LINES)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    find: Annotated[str, Query(max_length=200, description="Only lines that hold these words")] = "",
) -> LogAnswer:
    """Lines of an attempt's log, from index `first` on; fewer than `limit` where they are long."""
    step = _step(parts, step_run)
    wanted = attempt or step.attempt
    log = step.logged_by(wanted)
    page = parts.logs.page(log, first, limit, find)
    over = wanted < step.attempt or step.state.is_ended
    return LogAnswer(
        lines=[LineAnswer(index=index, at=line.at, text=line.text) for index, line in page.lines],
        next=page.lines[-1][0] + 1 if page.lines else first,
        ended=over and not page.is_full,
    )


@router.get("/{step_run}/log.txt", response_class=StreamingResponse)
def download_log(
    parts: Parts,
    _: Reader,
    step_run: IdentifierPath,
    attempt: AttemptQuery = None,
) -> StreamingResponse:
    """A whole log as text, without colours: a time and a line in each line."""
    step = _step(parts, step_run)
    wanted = attempt or step.attempt
    headers = {"Content-Disposition": f'attachment; filename="{step.id}.{wanted}.log"'}
    return StreamingResponse(
        parts.logs.text(step.logged_by(wanted)), media_type="text/plain; charset=utf-8", headers=headers
    )


def _step(parts: ApiParts, step_run: str) -> StepRun:
    with parts.engine.parts.database.reading() as connection:
        step = queries.step(connection, step_run.lower())
    if step is None:
        raise not_found("step run", step_run)
    return step
