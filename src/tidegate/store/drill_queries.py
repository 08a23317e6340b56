"""What is asked about drills."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from tidegate.model.drill import Drill, DrillState
from tidegate.model.ids import PlacementId, ServiceName
from tidegate.store import drill_tables, rows
from tidegate.store.columns import Utc

_DRILL = drill_tables.drill.c


def drill(connection: Connection, run: str) -> Drill | None:
    """The drill of that run."""
    return rows.find(connection, Drill, run=run)


def drills(
    connection: Connection, service: str | None = None, environment: str | None = None, limit: int = 50
) -> tuple[Drill, ...]:
    """Drills, the newest first."""
    where: list[ColumnElement[bool]] = []
    if service is not None:
        where.append(_DRILL.service == service)
    if environment is not None:
        where.append(_DRILL.environment == environment)
    return rows.every(connection, Drill, *where, order_by=_DRILL.began_at.desc(), limit=limit)


def open_drills(connection: Connection) -> tuple[Drill, ...]:
    """Those that go on."""
    return rows.every_equal(connection, Drill, state=DrillState.GOES_ON)


def open_at(connection: Connection, placement: PlacementId) -> Drill | None:
    """The drill that goes on at a placement."""
    return next((one for one in open_drills(connection) if one.placement == placement), None)


def last_passed(connection: Connection, service: ServiceName) -> Drill | None:
    """The service's newest drill that went well, in any environment."""
    here = (_DRILL.service == service, _DRILL.state == DrillState.PASSED)
    return next(iter(rows.every(connection, Drill, *here, order_by=_DRILL.ended_at.desc(), limit=1)), None)


def last_began(connection: Connection, placement: PlacementId) -> datetime | None:
    """When the newest drill at a placement began."""
    query = select(func.max(_DRILL.began_at, type_=Utc())).where(_DRILL.placement == placement)
    return connection.execute(query).scalar()
