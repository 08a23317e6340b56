"""Rehearsals: what came of the faults that were sent through a service's pipeline."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, Field, StringConstraints

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.api.fields import Body, Name, ServiceQuery, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader, Rehearser
from tidegate.engine.rehearsal_schedule import occurrences
from tidegate.engine.rehearsals import record_rehearsal, rehearsals
from tidegate.model.ids import Commit, ServiceName
from tidegate.model.rehearsal import End, Fault, FaultOutcome, RecordedRehearsal, Rehearsal
from tidegate.model.rehearsal_schedule import Occurrence
from tidegate.security.permission import Permission

router = noun_router("rehearsals", prefix="/rehearsals", route_class=ActRoute)

LimitQuery = Annotated[int, Query(ge=1, le=200)]
Seconds = Annotated[float, Field(ge=0, le=1e7)]
Requests = Annotated[int, Field(ge=0, le=2**53)]


class OutcomeBody(Body):
    """What became of one fault; times in seconds as they were measured."""

    fault: Fault
    found: bool
    why: TextField
    seconds: Seconds | None
    requests: Requests
    harmed: Requests
    end: End
    rollback_seconds: Seconds | None = None
    took_seconds: Seconds = 0.0


class RehearsalRequest(Body):
    """What came of a rehearsal; `quick` is by how much its times were shortened."""

    service: Name
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")]
    environment: Name
    began_at: AwareDatetime
    ended_at: AwareDatetime
    quick: Annotated[float, Field(ge=1, le=100)]
    per_second: Annotated[float, Field(ge=0, le=1e6)]
    outcomes: Annotated[list[OutcomeBody], Field(min_length=1, max_length=len(Fault))]


class OutcomeAnswer(Answer):
    """What became of one fault; `went_well` where it was found and ended on a known release."""

    fault: Fault
    found: bool
    why: str
    seconds: float | None
    requests: int
    harmed: int
    end: End
    rollback_seconds: float | None
    took_seconds: float
    went_well: bool


class RehearsalAnswer(Answer):
    """A rehearsal, by the number of its line in the record."""

    id: int
    by: ActorAnswer
    service: str
    commit: str
    environment: str
    began_at: datetime
    ended_at: datetime
    quick: float
    per_second: float
    outcomes: list[OutcomeAnswer]
    went_well: bool


@router.get("")
def list_rehearsals(
    parts: Parts, _: Reader, service: ServiceQuery = None, limit: LimitQuery = 50
) -> list[RehearsalAnswer]:
    """Rehearsals, the newest first."""
    with parts.engine.parts.database.reading() as connection:
        return [_answer(one) for one in rehearsals(connection, service, limit)]


class ScheduleAnswer(Answer):
    """A service that says in its file when it is rehearsed by itself, and how that stands. `last_at` is when the last
    one began, whoever played it; one goes on `since`, or the next begins at `next_at`. One that `is_due` waits until
    no other goes on and nothing is verified in a protected environment."""

    service: str
    when: str
    faults: list[Fault]
    quick: float
    last_at: datetime | None
    since: datetime | None
    next_at: datetime | None
    is_due: bool
    in_words: str


@router.get("/schedule")
def show_schedule(parts: Parts, _: Reader, service: ServiceQuery = None) -> list[ScheduleAnswer]:
    """The services that are rehearsed by themselves, and when the next rehearsal of each begins."""
    of_engine = parts.engine.parts
    with of_engine.database.reading() as connection:
        return [_scheduled(one, of_engine.clock.now()) for one in occurrences(connection, of_engine, service)]


@router.post("", status_code=201)
def note_rehearsal(parts: Parts, who: Rehearser, body: RehearsalRequest) -> RehearsalAnswer:
    """Keep what came of a rehearsal; `tidegate rehearse` says it."""
    parts.authority.check(who, Permission.REHEARSE, body.service, body.environment)
    rehearsal = Rehearsal(
        service=ServiceName(body.service),
        commit=Commit(body.commit),
        environment=body.environment,
        began_at=body.began_at,
        ended_at=body.ended_at,
        quick=body.quick,
        per_second=body.per_second,
        outcomes=tuple(FaultOutcome(**one.model_dump()) for one in body.outcomes),
    )
    return _answer(record_rehearsal(parts.engine.parts, rehearsal, who.actor))


def _scheduled(one: Occurrence, now: datetime) -> ScheduleAnswer:
    rule = one.rehearsed.rule
    return ScheduleAnswer(
        service=one.rehearsed.service,
        when=str(rule.when),
        faults=list(rule.faults),
        quick=rule.quick,
        last_at=one.known.last_at,
        since=one.known.since,
        next_at=one.next_at,
        is_due=one.is_due,
        in_words=one.in_words(now),
    )


def _answer(one: RecordedRehearsal) -> RehearsalAnswer:
    fields = {name: getattr(one.rehearsal, name, None) for name in RehearsalAnswer.model_fields}
    return RehearsalAnswer.model_validate({**fields, "id": one.id, "by": one.by})
