"""The logs of steps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from tidegate.api.answers import Answer
from tidegate.api.fields import IdentifierPath
from tidegate.api.security import Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.store import queries

router = APIRouter(prefix="/steps", tags=["steps"])


class LineAnswer(Answer):
    """A line of output, stamped when the agent read it."""

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
    attempt: Annotated[int | None, Query(ge=1, description="The newest where none is named")] = None,
    first: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> LogAnswer:
    """Lines of an attempt's log, from index `first` on."""
    with parts.engine.parts.database.reading() as connection:
        step = queries.step(connection, step_run.lower())
    if step is None:
        raise not_found("step run", step_run)
    wanted = attempt or step.attempt
    lines = parts.logs.read(step.logged_by(wanted), first, limit)
    over = wanted < step.attempt or step.state.is_ended
    return LogAnswer(
        lines=[LineAnswer.model_validate(line) for line in lines],
        next=first + len(lines),
        ended=over and len(lines) < limit,
    )
