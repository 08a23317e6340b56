"""What is asked about release trains."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection

from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.model.train import TrainRun, TrainState
from tidegate.store import queries, rows, tables, train_tables

_c = train_tables.train_run.c
_OPEN = tuple(state for state in TrainState if not state.is_ended)
_ENDED = tuple(state for state in TrainState if state.is_ended)


def open_passage(connection: Connection, train: str) -> TrainRun | None:
    """The passage of a train that has not ended."""
    return next(iter(rows.every(connection, TrainRun, _c.train == train, _c.state.in_(_OPEN), limit=1)), None)


def open_passages(connection: Connection) -> tuple[TrainRun, ...]:
    """The passages of all trains that have not ended."""
    return rows.every(connection, TrainRun, _c.state.in_(_OPEN))


def passages(connection: Connection, train: str | None = None, limit: int = 20) -> tuple[TrainRun, ...]:
    """The passages of a train or of all, the newest first."""
    where: list[ColumnElement[bool]] = [_c.train == train] if train else []
    return rows.every(connection, TrainRun, *where, order_by=_c.id.desc(), limit=limit)


def last_ended(connection: Connection, train: str) -> TrainRun | None:
    """The newest passage of a train that has ended."""
    where = (_c.train == train, _c.state.in_(_ENDED))
    return next(iter(rows.every(connection, TrainRun, *where, order_by=_c.id.desc(), limit=1)), None)


def services_naming(connection: Connection, train: str) -> tuple[ServiceName, ...]:
    """The services whose newest file names the train."""
    return tuple(one.name for one in queries.services(connection) if one.train == train)


def at_gates(connection: Connection, environment: EnvironmentName) -> tuple[tuple[Run, StageRun], ...]:
    """The open runs that wait at a gate to an environment, oldest first."""
    c = tables.stage_run.c
    waiting = rows.every(connection, StageRun, c.state == StageState.GATE, c.environment == environment)
    runs = ((queries.run(connection, one.run), one) for one in waiting)
    return tuple(
        (run, stage)
        for run, stage in runs
        if run and run.status in (RunStatus.RUNNING, RunStatus.WAITING) and run.cancel_asked_by is None
    )


def stage_of(connection: Connection, run: str, stage: str) -> StageRun | None:
    """One stage of a run."""
    return rows.find(connection, StageRun, run=run, name=stage)
