"""What runs where, deployments, and rollbacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Response
from pydantic import Field
from sqlalchemy import Connection

from tidegate.api.answers import Answer
from tidegate.api.fields import Body, IdentifierPath, LabelField, Name, ServiceQuery, TextField
from tidegate.api.freeze_answers import FreezeAnswer, freeze_answer
from tidegate.api.idempotency import ActRoute
from tidegate.api.placement_answers import (
    EnvironmentAnswer,
    PlacementAnswer,
    StatusAnswer,
    environment_answer,
    placement_answer,
    status_answer,
)
from tidegate.api.rollout_answers import PlanStepAnswer, RollbackAnswer, RolloutAnswer, rollout_answer
from tidegate.api.routing import noun_router
from tidegate.api.run_answers import RunItem, run_item
from tidegate.api.security import Operator, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName
from tidegate.model.pipeline import Strategy
from tidegate.security.permission import Permission
from tidegate.store import placement_queries, queries

router = noun_router("placements", route_class=ActRoute)


class DeployRequest(Body):
    """A release (its id, or its commit's beginning) for an environment; with `dry_run` only the plan is told."""

    service: Name
    release: LabelField
    environment: Name
    dry_run: bool = False


class RollbackRequest(Body):
    """Back to the last good deployment, to `release`, or with `stop` to nothing."""

    service: Name
    environment: Name
    release: LabelField | None = None
    stop: bool = False


class FloorLiftRequest(Body):
    """Where older releases can serve again, and why."""

    service: Name
    environment: Name
    reason: Annotated[TextField, Field(min_length=1)]


class DeployPlanAnswer(Answer):
    """What a deployment would do: from which commit, by which steps."""

    release: str
    commit: str
    serving: str | None
    strategy: Strategy
    steps: list[PlanStepAnswer]


class DryRunAnswer(Answer):
    """The plan of a deployment that was not made."""

    plan: DeployPlanAnswer


class ScrapeLabels(Answer):
    """What Prometheus writes on every series of a target."""

    deployment: str
    service: str
    environment: str
    release: str
    commit: str


class ScrapeTargetsAnswer(Answer):
    """The instances of a deployment, as Prometheus's HTTP service discovery takes them."""

    targets: list[str]
    labels: ScrapeLabels


@dataclass(frozen=True, slots=True)
class _Known:
    """All placements, by environment, and the environments that they or the configuration name."""

    environments: dict[EnvironmentName, Environment]
    placements: list[PlacementAnswer]
    freezes: list[FreezeAnswer]

    def answer(self, name: EnvironmentName) -> EnvironmentAnswer:
        there = [one for one in self.placements if one.environment == name]
        return environment_answer(self.environments[name], there, self.freezes)


@router.get("/status")
def show_status(parts: Parts, _: Reader, service: ServiceQuery = None) -> list[StatusAnswer]:
    """What of each service runs where."""
    with parts.engine.parts.database.reading() as connection:
        services = queries.services(connection)
        if service is not None:
            services = tuple(one for one in services if one.name == service)
            if not services:
                raise not_found("service", service, "tidegate service list")
        records = placement_queries.records(connection, service)
        freezes = _freezes(parts, connection)
    answers = [placement_answer(one) for one in records]
    return [status_answer(one, [found for found in answers if found.service == one.name], freezes) for one in services]


@router.get("/scrape-targets")
def list_scrape_targets(parts: Parts, _: Reader, service: ServiceQuery = None) -> list[ScrapeTargetsAnswer]:
    """Every instance that serves, for Prometheus (https://prometheus.io/docs/prometheus/latest/http_sd/)."""
    with parts.engine.parts.database.reading() as connection:
        records = placement_queries.records(connection, service)
    return [
        ScrapeTargetsAnswer(
            targets=[f"{endpoint.host}:{endpoint.port}" for endpoint in deployment.endpoints],
            labels=ScrapeLabels(
                deployment=deployment.id,
                service=record.placement.service,
                environment=record.placement.environment,
                release=deployment.release,
                commit=deployment.commit,
            ),
        )
        for record in records
        for deployment in record.deployments.values()
        if deployment.endpoints
    ]


@router.get("/environments")
def list_environments(parts: Parts, _: Reader) -> list[EnvironmentAnswer]:
    """The environments, and what runs in each."""
    with parts.engine.parts.database.reading() as connection:
        known = _environments(parts, connection)
    return [known.answer(name) for name in known.environments]


@router.get("/environments/{name}")
def show_environment(parts: Parts, _: Reader, name: IdentifierPath) -> EnvironmentAnswer:
    """One environment, and what runs in it."""
    with parts.engine.parts.database.reading() as connection:
        known = _environments(parts, connection)
    wanted = EnvironmentName(name)
    if wanted not in known.environments:
        raise not_found("environment", name, "tidegate environment list")
    return known.answer(wanted)


@router.post("/deployments", status_code=201, responses={200: {"model": DryRunAnswer}})
def deploy(parts: Parts, who: Operator, body: DeployRequest, response: Response) -> RunItem | DryRunAnswer:
    """Take one release to one environment; its gate is asked as always."""
    if body.dry_run:
        response.status_code = 200
        return _dry_run(parts, body)
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    run = parts.placements.deploy(body.service, body.environment, body.release, who.actor)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return run_item(run)


@router.post("/rollbacks", status_code=202)
def roll_back(parts: Parts, who: Operator, body: RollbackRequest) -> RollbackAnswer:
    """Go back at once: no approval, no window. How far it is, /api/v1/rollouts tells."""
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    rollout = parts.placements.roll_back(
        body.service, body.environment, who.actor, release=body.release, stop=body.stop
    )
    with parts.engine.parts.database.reading() as connection:
        new = queries.deployment(connection, rollout.new) if rollout.new else None
        old = queries.deployment(connection, rollout.old) if rollout.old else None
    return RollbackAnswer(
        rollout=rollout_answer(rollout),
        label_from=new.label if new else None,
        label_to=old.label if old else None,
    )


@router.post("/floors/lift")
def lift_floor(parts: Parts, who: Operator, body: FloorLiftRequest) -> PlacementAnswer:
    """Say that what could not be undone was undone by hand: older releases can serve again."""
    parts.authority.check(who, Permission.OPERATE, body.service, body.environment)
    lifted = parts.placements.lift_floor(body.service, body.environment, who.actor, body.reason)
    with parts.engine.parts.database.reading() as connection:
        record = placement_queries.record_of(connection, lifted.id)
    assert record is not None
    return placement_answer(record)


@router.get("/rollouts/{rollout}")
def show_rollout(parts: Parts, _: Reader, rollout: IdentifierPath) -> RolloutAnswer:
    """How far a rollout is."""
    with parts.engine.parts.database.reading() as connection:
        found = queries.rollout(connection, rollout)
        if found is None:
            raise not_found("rollout", rollout)
        last_response = placement_queries.last_response_seconds(connection, found)
    return rollout_answer(found).model_copy(update={"last_response_seconds": last_response})


def _freezes(parts: Parts, connection: Connection) -> list[FreezeAnswer]:
    now = parts.engine.parts.clock.now()
    return [freeze_answer(one, now) for one in parts.freezes.all(connection)]


def _environments(parts: Parts, connection: Connection) -> _Known:
    configured = dict(parts.engine.parts.environments)
    placements = [placement_answer(one) for one in placement_queries.records(connection)]
    for one in placements:
        name = EnvironmentName(one.environment)
        configured.setdefault(name, parts.engine.parts.environment(name))
    return _Known(configured, placements, _freezes(parts, connection))


def _dry_run(parts: Parts, body: DeployRequest) -> DryRunAnswer:
    plan = parts.placements.plan(body.service, body.environment, body.release)
    return DryRunAnswer(
        plan=DeployPlanAnswer(
            release=plan.release.id,
            commit=plan.release.change.commit,
            serving=plan.serving.commit if plan.serving else None,
            strategy=plan.strategy,
            steps=[PlanStepAnswer.model_validate(one) for one in plan.steps],
        )
    )
