"""What gates look at that has to do with time: freezes, questions outside, and what time was recorded last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.freeze import Freeze
from tidegate.model.freeze_turns import BegunFreeze
from tidegate.model.ids import RunId
from tidegate.model.run import RunStatus, StageState
from tidegate.store import rows, tables, time_tables
from tidegate.store.columns import Utc

_NEWEST = 200
_FREEZE = time_tables.freeze.c
_QUESTION = time_tables.external_question.c
_AT_A_GATE = (
    select(tables.run.c.id)
    .join(tables.stage_run, tables.stage_run.c.run == tables.run.c.id)
    .where(tables.run.c.status.in_((RunStatus.RUNNING, RunStatus.WAITING)), tables.stage_run.c.state == StageState.GATE)
)


def freezes(connection: Connection, now: datetime, environment: str | None = None) -> tuple[Freeze, ...]:
    """Those that hold or are planned, in all environments or in one, by their beginning."""
    where = [_FREEZE.lifted_at.is_(None), _FREEZE.ends > now]
    if environment is not None:
        where.append(_FREEZE.environment == environment)
    return rows.every(connection, Freeze, *where, order_by=_FREEZE.begins)


def freezes_of(connection: Connection, service: str, environment: str) -> tuple[Freeze, ...]:
    """Those that nobody lifted and that concern a service there; the newest are enough."""
    where = (_FREEZE.environment == environment, _FREEZE.lifted_at.is_(None))
    found = rows.every(connection, Freeze, *where, order_by=_FREEZE.ends.desc(), limit=_NEWEST)
    return tuple(one for one in found if one.concerns(service, environment))


def freeze(connection: Connection, freeze_id: str) -> Freeze | None:
    """The freeze with that id."""
    return rows.find(connection, Freeze, id=freeze_id)


def begun_freezes(connection: Connection) -> tuple[BegunFreeze, ...]:
    """Those whose beginning was told, and not their end yet."""
    return rows.every_equal(connection, BegunFreeze)


def run_ids_at_gates_of(connection: Connection, environment: str, service: str | None) -> tuple[RunId, ...]:
    """The open runs that wait at a gate into the environment, of one service or of all."""
    query = _AT_A_GATE.where(tables.stage_run.c.environment == environment)
    if service is not None:
        query = query.where(tables.run.c.service == service)
    return tuple(dict.fromkeys(RunId(one) for one in connection.execute(query).scalars()))


def questions_of_run(connection: Connection, run: str) -> tuple[ExternalQuestion, ...]:
    """All questions about a run's release, in the order in which they were asked."""
    found = rows.every_equal(connection, ExternalQuestion, run=run)
    return tuple(sorted(found, key=lambda one: (one.asked_at, one.id)))


def question(connection: Connection, question_id: str) -> ExternalQuestion | None:
    """The question with that id."""
    return rows.find(connection, ExternalQuestion, id=question_id)


def questions_to_ask(connection: Connection) -> Iterable[ExternalQuestion]:
    """Those that nobody has taken yet."""
    return rows.every_equal(connection, ExternalQuestion, state=QuestionState.ASKING)


def end_question_leases(connection: Connection) -> None:
    """Whoever was sending is gone: it may be sent again at once."""
    query = update(time_tables.external_question).where(_QUESTION.state == QuestionState.ASKING)
    connection.execute(query.values(leased_until=None))


def latest_recorded(connection: Connection) -> datetime | None:
    """The latest time of which something is recorded."""
    return connection.execute(select(func.max(tables.event.c.at, type_=Utc()))).scalar()
