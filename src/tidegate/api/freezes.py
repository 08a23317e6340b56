"""Freezes: list, begin, end."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import AwareDatetime, Field, StringConstraints

from tidegate.api.fields import IDENTIFIER, NAME, Body, Name, ServiceQuery, TextField
from tidegate.api.freeze_answers import FreezeAnswer, freeze_answer
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Operator, Parts, Reader
from tidegate.engine.freezes import WantedFreeze
from tidegate.security.permission import Permission

router = noun_router("freezes", prefix="/freezes", route_class=ActRoute)

FreezePath = Annotated[str, Path(alias="freeze", pattern=IDENTIFIER, description="A freeze's id")]
EnvironmentQuery = Annotated[str | None, Query(pattern=NAME, description="Of this environment only")]
Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
Reason = Annotated[TextField, Field(min_length=1, max_length=200)]


class FreezeRequest(Body):
    """Nothing new enters `environment` (of one service, or of all) from `begins`, or now, until `ends`.

    `timezone` is the place in whose time it is told.
    """

    environment: Name
    service: Name | None = None
    begins: AwareDatetime | None = None
    ends: AwareDatetime
    reason: Reason
    timezone: Zone = "UTC"


@router.get("")
def list_freezes(
    parts: Parts, _: Reader, environment: EnvironmentQuery = None, service: ServiceQuery = None
) -> list[FreezeAnswer]:
    """Those that hold or are planned, by their beginning."""
    with parts.engine.parts.database.reading() as connection:
        found = parts.freezes.all(connection)
    now = parts.engine.parts.clock.now()
    return [
        freeze_answer(one, now)
        for one in found
        if environment in (None, one.environment) and (service is None or one.service in (None, service))
    ]


@router.post("", status_code=201)
def freeze(parts: Parts, who: Operator, body: FreezeRequest, response: Response) -> FreezeAnswer:
    """Let no gate into the environment open for a time."""
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    wanted = WantedFreeze(body.environment, body.ends, body.reason, body.service, body.begins, body.timezone)
    made = parts.freezes.freeze(wanted, who.actor)
    response.headers["Location"] = f"/api/v1/freezes/{made.id}"
    return freeze_answer(made, parts.engine.parts.clock.now())


@router.get("/{freeze}")
def show_freeze(parts: Parts, _: Reader, freeze_id: FreezePath) -> FreezeAnswer:
    """One freeze, also one that is over."""
    with parts.engine.parts.database.reading() as connection:
        found = parts.freezes.known(connection, freeze_id)
    return freeze_answer(found, parts.engine.parts.clock.now())


@router.delete("/{freeze}")
def thaw(parts: Parts, who: Operator, freeze_id: FreezePath) -> FreezeAnswer:
    """End a freeze now, or take back one that is planned."""
    with parts.engine.parts.database.reading() as connection:
        found = parts.freezes.find(connection, freeze_id)
    place = (found.service, found.environment) if found else (None, None)
    parts.authority.check(who, Permission.OPERATE, *place)
    return freeze_answer(parts.freezes.lift(freeze_id, who.actor), parts.engine.parts.clock.now())
