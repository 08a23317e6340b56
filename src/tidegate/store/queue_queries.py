"""What is asked about the queue: which steps are ready, and which are performed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, select

from tidegate.model.change import Change
from tidegate.model.ids import RunId
from tidegate.model.step_queue import QueuedStep
from tidegate.model.step_run import StepState
from tidegate.store import tables

_step, _run = tables.step_run.c, tables.run.c
_QUEUED = (
    *(_step.id, _step.run, _step.scope, _step.name, _step.step, _step.ready_at, _step.began_at, _step.agent),
    _step.attempt,
    *(_run.service, _run.order),
)
_PLACE = func.row_number().over(
    partition_by=(_run.service, _step.scope, _step.name), order_by=(_run.order, _step.ready_at, _step.id)
)
_RANKED = (
    select(*_QUEUED, _PLACE.label("place"))
    .join(tables.run, _run.id == _step.run)
    .where(_step.state == StepState.READY)
    .subquery()
)
_READY = select(_RANKED).where(_RANKED.c.place <= bindparam("each", type_=Integer))
_UNDER_WAY = select(*_QUEUED).join(tables.run, _run.id == _step.run).where(_step.state == StepState.RUNNING)


def ready_steps(connection: Connection, each: int) -> tuple[QueuedStep, ...]:
    """The steps that an agent may lease: of each step of a service the `each` that are first in its order.

    Each step by its name, since runs of one service mostly have the same: those that wait for a rare label, or for
    their group, must not hide all others.
    """
    return tuple(_queued(row) for row in connection.execute(_READY, {"each": each}))


def steps_under_way(connection: Connection) -> tuple[QueuedStep, ...]:
    """The steps that agents perform."""
    return tuple(_queued(row) for row in connection.execute(_UNDER_WAY))


def changes(connection: Connection, runs: Collection[RunId]) -> dict[RunId, Change]:
    """What these runs are about."""
    query = select(_run.id, _run.change).where(_run.id.in_(runs))
    return {row.id: row.change for row in connection.execute(query)} if runs else {}


def _queued(row: Any) -> QueuedStep:
    return QueuedStep(
        id=row.id,
        run=row.run,
        service=row.service,
        scope=row.scope,
        name=row.name,
        ready_at=row.ready_at,
        labels=frozenset(row.step.labels),
        concurrency=row.step.concurrency,
        agent=row.agent,
        began_at=row.began_at,
        attempt=row.attempt,
        order=row.order,
    )
