"""How many there are: figures for monitoring."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from tidegate.model.run import RunStatus
from tidegate.model.step_run import StepState
from tidegate.store import tables


def runs_by_status(connection: Connection) -> dict[RunStatus, int]:
    """How many runs stand how; statuses that no run has are 0."""
    c = tables.run.c
    found = {row[0]: row[1] for row in connection.execute(select(c.status, func.count()).group_by(c.status))}
    return {status: found.get(status, 0) for status in RunStatus}


def steps_by_state(connection: Connection, states: tuple[StepState, ...]) -> dict[StepState, int]:
    """How many step runs are in each of the states."""
    c = tables.step_run.c
    query = select(c.state, func.count()).where(c.state.in_(states)).group_by(c.state)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {state: found.get(state, 0) for state in states}


def stuck_placements(connection: Connection) -> int:
    """How many placements cannot be brought to their arrangement."""
    query = select(func.count()).where(tables.placement.c.stuck_because.is_not(None))
    return connection.execute(query).scalar() or 0
