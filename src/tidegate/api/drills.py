"""Drills: rollbacks that are practised."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Response

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.api.fields import IDENTIFIER, NAME, Body, Name, ServiceQuery
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Operator, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.drill import DrillState
from tidegate.security.permission import Permission
from tidegate.store import drill_queries

router = noun_router("drills", prefix="/drills", route_class=ActRoute)

DrillPath = Annotated[str, Path(alias="drill", pattern=IDENTIFIER, description="The id of the drill's run")]
EnvironmentQuery = Annotated[str | None, Query(pattern=NAME, description="Of this environment only")]
LimitQuery = Annotated[int, Query(ge=1, le=200)]


class DrillRequest(Body):
    """What is practised, and where; in a protected environment only with `in_protected`."""

    service: Name
    environment: Name
    in_protected: bool = False


class DrillAnswer(Answer):
    """A drill, by the run that deployed `commit` for it.

    `seconds` is the time from the decision to go back until all traffic was back, `whole_seconds` until all instances
    of `good_commit` served again; `went_wrong` says what did.
    """

    run: str
    service: str
    environment: str
    by: ActorAnswer
    state: DrillState
    began_at: datetime
    release: str
    commit: str
    good_commit: str
    rollout: str | None
    deployed_at: datetime | None
    seconds: float | None
    whole_seconds: float | None
    went_wrong: tuple[str, ...]
    ended_at: datetime | None


@router.get("")
def list_drills(
    parts: Parts,
    _: Reader,
    service: ServiceQuery = None,
    environment: EnvironmentQuery = None,
    limit: LimitQuery = 50,
) -> list[DrillAnswer]:
    """Drills, the newest first."""
    with parts.engine.parts.database.reading() as connection:
        found = drill_queries.drills(connection, service, environment, limit)
    return [DrillAnswer.model_validate(one) for one in found]


@router.post("", status_code=201)
def begin_drill(parts: Parts, who: Operator, body: DrillRequest, response: Response) -> DrillAnswer:
    """Deploy the newest release that does not serve there, and take it back. How far it is, the drill tells."""
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    begun = parts.drills.begin(body.service, body.environment, who.actor, in_protected=body.in_protected)
    response.headers["Location"] = f"/api/v1/drills/{begun.run}"
    return DrillAnswer.model_validate(begun)


@router.get("/{drill}")
def show_drill(parts: Parts, _: Reader, drill: DrillPath) -> DrillAnswer:
    """One drill."""
    with parts.engine.parts.database.reading() as connection:
        found = drill_queries.drill(connection, drill.lower())
    if found is None:
        raise not_found("drill", drill, "tidegate drill list")
    return DrillAnswer.model_validate(found)
