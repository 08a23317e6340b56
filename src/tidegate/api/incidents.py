"""Incidents: list, one in full, open and close."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field

from tidegate.api.fields import IDENTIFIER, NAME, Body, Name, ServiceQuery, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.incident_answers import (
    IncidentAnswer,
    IncidentDetail,
    IncidentPage,
    incident_answer,
    incident_detail,
)
from tidegate.api.routing import noun_router
from tidegate.api.security import Operator, Parts, Reader
from tidegate.security.permission import Permission
from tidegate.store import incident_queries

router = noun_router("incidents", prefix="/incidents", route_class=ActRoute)

IncidentPath = Annotated[str, Path(alias="incident", pattern=IDENTIFIER, description="An incident's id")]
EnvironmentQuery = Annotated[str | None, Query(pattern=NAME, description="Of this environment only")]
OpenQuery = Annotated[bool, Query(alias="open", description="Only those that have not ended")]
LimitQuery = Annotated[int, Query(ge=1, le=200)]
BeforeQuery = Annotated[str | None, Query(pattern=IDENTIFIER, description="Older than the incident with this id")]


class OpenRequest(Body):
    """What of a service harms, and where."""

    service: Name
    environment: Name
    reason: Annotated[TextField, Field(min_length=1, max_length=500)]


class CloseRequest(Body):
    """Why it is over."""

    reason: Annotated[TextField, Field(max_length=500)] = ""


@router.get("")
def list_incidents(
    parts: Parts,
    _: Reader,
    service: ServiceQuery = None,
    environment: EnvironmentQuery = None,
    open_only: OpenQuery = False,
    limit: LimitQuery = 50,
    before: BeforeQuery = None,
) -> IncidentPage:
    """Incidents, the newest first."""
    older_than = before.lower() if before else None
    with parts.engine.parts.database.reading() as connection:
        found = incident_queries.incidents(
            connection, service, environment, open_only=open_only, before=older_than, limit=limit + 1
        )
    now = parts.engine.parts.clock.now()
    more = len(found) > limit
    items = [incident_answer(one, now) for one in found[:limit]]
    return IncidentPage(items=items, next=found[limit - 1].id if more else None)


@router.post("", status_code=201)
def open_incident(parts: Parts, who: Operator, body: OpenRequest, response: Response) -> IncidentAnswer:
    """Say that something of a service harms there."""
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    made = parts.incidents.open(body.service, body.environment, body.reason, who.actor)
    response.headers["Location"] = f"/api/v1/incidents/{made.id}"
    return incident_answer(made, parts.engine.parts.clock.now())


@router.get("/{incident}")
def show_incident(parts: Parts, _: Reader, incident: IncidentPath) -> IncidentDetail:
    """An incident with its time line, the commits in question, the evidence, and a draft of a post-mortem."""
    with parts.engine.parts.database.reading() as connection:
        story = parts.incidents.story(connection, incident)
    return incident_detail(story, parts.engine.parts.clock.now())


@router.post("/{incident}/close")
def close_incident(
    parts: Parts, who: Operator, incident: IncidentPath, body: CloseRequest | None = None
) -> IncidentAnswer:
    """Say that it is over."""
    with parts.engine.parts.database.reading() as connection:
        found = parts.incidents.find(connection, incident)
    place = (found.service, found.environment) if found else (None, None)
    parts.authority.check(who, Permission.OPERATE, *place)
    ended = parts.incidents.close(incident, body.reason if body else "", who.actor)
    return incident_answer(ended, parts.engine.parts.clock.now())
