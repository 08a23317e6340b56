"""What is asked about incidents."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, select

from tidegate.model.event import RecordedEvent
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.incident import Incident
from tidegate.store import events, incident_tables, rows, tables

_INCIDENT = incident_tables.incident.c
_OPEN = rows.whole(Incident).where(_INCIDENT.placement == bindparam("of"), _INCIDENT.closed_at.is_(None))
MOST_LINES = 1000
"""Events of an incident's time line."""


def open_at(connection: Connection, placement: PlacementId) -> Incident | None:
    """The open incident of a placement."""
    return next(iter(rows.read(connection, Incident, _OPEN, {"of": placement})), None)


def incident(connection: Connection, incident_id: str) -> Incident | None:
    """The incident with that id."""
    return rows.find(connection, Incident, id=incident_id)


def incidents(
    connection: Connection,
    service: str | None = None,
    environment: str | None = None,
    *,
    open_only: bool = False,
    before: str | None = None,
    limit: int = 100,
) -> tuple[Incident, ...]:
    """Incidents, the newest first; those older than the one with the id `before`."""
    where: list[ColumnElement[bool]] = []
    if service is not None:
        where.append(_INCIDENT.service == service)
    if environment is not None:
        where.append(_INCIDENT.environment == environment)
    if open_only:
        where.append(_INCIDENT.closed_at.is_(None))
    if before is not None:
        where.append(_INCIDENT.id < before)
    return rows.every(connection, Incident, *where, order_by=_INCIDENT.id.desc(), limit=limit)


def newest_at(connection: Connection, placement: PlacementId, limit: int) -> tuple[Incident, ...]:
    """The newest incidents of a placement, the newest first: one that is open is the first."""
    here = _INCIDENT.placement == placement
    return rows.every(connection, Incident, here, order_by=_INCIDENT.id.desc(), limit=limit)


def about(connection: Connection, deployments: Collection[DeploymentId]) -> tuple[Incident, ...]:
    """The incidents in which these deployments are in question, oldest first."""
    return rows.every(connection, Incident, _INCIDENT.deployment.in_(deployments)) if deployments else ()


def time_line(connection: Connection, incident: Incident, since: datetime) -> tuple[RecordedEvent, ...]:
    """What was recorded of the incident's service in its environment from then to its end, oldest first."""
    c = tables.event.c
    where = [c.service == incident.service, c.at >= since]
    if incident.closed_at:
        where.append(c.at <= incident.closed_at)
    query = select(c.id).where(*where).order_by(c.id).limit(MOST_LINES)
    found = events.numbered(connection, list(connection.execute(query).scalars()))
    return tuple(one for one in found if one.event.about.get("environment") in (None, incident.environment))
