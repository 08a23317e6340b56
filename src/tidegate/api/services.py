"""Services: add, show, pause, resume, grant a mode, remove; and their secrets."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from fastapi import Path, Response
from pydantic import AfterValidator, StringConstraints

from tidegate.api.fields import Body, Name, ServicePath, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.placement_answers import placement_answer
from tidegate.api.routing import noun_router
from tidegate.api.run_answers import run_item
from tidegate.api.security import Administrator, Operator, Parts, Reader
from tidegate.api.service_answers import (
    AddedAnswer,
    ServiceAnswer,
    ServiceDetail,
    TrafficAnswer,
    service_answer,
    service_detail,
    traffic_answer,
)
from tidegate.engine.refusal import not_found
from tidegate.model.pipeline import Mode
from tidegate.model.traffic import A_WEEK, Span
from tidegate.security.permission import Permission
from tidegate.store import placement_queries, queries, traffic_queries

router = noun_router("services", prefix="/services", route_class=ActRoute)


SECRET_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"  # noqa: S105  the pattern of names
SecretName = Annotated[str, StringConstraints(pattern=SECRET_NAME)]
SecretPath = Annotated[str, Path(pattern=SECRET_NAME)]
LINE = r"^[^\x00-\x1f\x7f]+$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=LINE)]


def _in_repository(path: str) -> str:
    """A folder of the repository, and no other: what leads out of it is not even looked for."""
    remedy = "name the service's folder below its root, as services/shop"
    parts = path.removesuffix("/").split("/")
    if path.startswith(("/", "~")) or "\\" in path:
        raise ValueError(f'"{path}" is no folder of the repository: {remedy}')
    if ".." in parts:
        raise ValueError(f'"{path}" leads out of the repository: {remedy}')
    if not all(part.strip() for part in parts):
        raise ValueError(f'"{path}" has an empty part: {remedy}')
    return str(PurePosixPath(path))


FolderField = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=LINE), AfterValidator(_in_repository)
]


class AddRequest(Body):
    """A repository (a path on the server's machine or a URL), and where in it the service is.

    `credential` names a secret of the service with which a private repository is read.
    """

    repository: Line
    name: Name | None = None
    path: FolderField = "."
    branch: Line | None = None
    credential: SecretName | None = None


class ReasonRequest(Body):
    """Why; it is recorded."""

    reason: TextField = ""


class ModeRequest(Body):
    """The mode that is granted for protected environments, and why."""

    mode: Mode
    reason: TextField


class SecretRequest(Body):
    """A secret's value; it is sealed, and never shown again."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]


@router.get("")
def list_services(parts: Parts, _: Reader) -> list[ServiceAnswer]:
    """All services, by name."""
    with parts.engine.parts.database.reading() as connection:
        return [service_answer(one) for one in queries.services(connection)]


@router.post("", status_code=201)
def add_service(parts: Parts, who: Administrator, body: AddRequest, response: Response) -> AddedAnswer:
    """Know a service from now on, and begin with its newest commit."""
    parts.authority.check(who, Permission.ADMINISTER)
    service, pushed = parts.repositories.describe(body.repository, body.name, body.path, body.branch, body.credential)
    run = parts.services.add(service, pushed, who.actor)
    response.headers["Location"] = f"/api/v1/services/{service.name}"
    return AddedAnswer(service=service_answer(service), run=run_item(run))


@router.get("/{name}")
def show_service(parts: Parts, _: Reader, name: ServicePath) -> ServiceDetail:
    """A service and where it runs."""
    with parts.engine.parts.database.reading() as connection:
        service = queries.service(connection, name)
        if service is None:
            raise not_found("service", name, "tidegate service list")
        records = placement_queries.records(connection, name)
    here = {str(one.placement.environment): placement_answer(one) for one in records}
    return service_detail(service, here, parts.engine.parts.environments.values())


@router.get("/{name}/traffic")
def show_traffic(parts: Parts, _: Reader, name: ServicePath) -> list[TrafficAnswer]:
    """The requests to a service in the last seven days, by environment; of those that had any."""
    now = parts.engine.parts.clock.now()
    with parts.engine.parts.database.reading() as connection:
        if queries.service(connection, name) is None:
            raise not_found("service", name, "tidegate service list")
        known = [
            (one.environment, traffic_queries.since(connection, one.id, Span.HOUR, now - A_WEEK))
            for one in queries.placements(connection, name)
        ]
        return [
            traffic_answer(environment, hours, now, traffic_queries.first_minute(connection, hours[0]))
            for environment, hours in known
            if hours
        ]


@router.delete("/{name}")
def remove_service(parts: Parts, who: Administrator, name: ServicePath) -> ServiceAnswer:
    """Forget the service: its runs are cancelled and everything of it is stopped. The record stays."""
    parts.authority.check(who, Permission.ADMINISTER)
    return service_answer(parts.services.remove(name, who.actor))


@router.post("/{name}/pause")
def pause_service(parts: Parts, who: Operator, name: ServicePath, body: ReasonRequest | None = None) -> ServiceAnswer:
    """Let no release of the service pass a gate."""
    parts.authority.check(who, Permission.OPERATE, name)
    return service_answer(parts.services.pause(name, who.actor, body.reason if body else ""))


@router.post("/{name}/resume")
def resume_service(parts: Parts, who: Operator, name: ServicePath, body: ReasonRequest | None = None) -> ServiceAnswer:
    """Lift a pause, and a stopped line."""
    parts.authority.check(who, Permission.OPERATE, name)
    return service_answer(parts.services.resume(name, who.actor, body.reason if body else ""))


@router.post("/{name}/mode")
def grant_mode(parts: Parts, who: Administrator, name: ServicePath, body: ModeRequest) -> ServiceAnswer:
    """Grant (or take back) that policy opens the gates to protected environments."""
    parts.authority.check(who, Permission.ADMINISTER, name)
    return service_answer(parts.services.grant_mode(name, body.mode, who.actor, body.reason))


@router.get("/{name}/secrets")
def list_secrets(parts: Parts, who: Administrator, name: ServicePath) -> list[str]:
    """Which secrets the service has; never their values."""
    parts.authority.check(who, Permission.ADMINISTER, name)
    with parts.engine.parts.database.reading() as connection:
        return list(queries.secret_names(connection, name))


@router.put("/{name}/secrets/{secret}", status_code=204)
def set_secret(parts: Parts, who: Administrator, name: ServicePath, secret: SecretPath, body: SecretRequest) -> None:
    """Keep a secret, sealed; also before the service exists, for a private repository."""
    parts.authority.check(who, Permission.ADMINISTER, name)
    parts.services.set_secret(name, secret, body.value, who.actor)
