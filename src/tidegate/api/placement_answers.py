"""Placements, environments and the status as the API tells them."""

from __future__ import annotations

from datetime import datetime

from tidegate.api.answers import Answer, ReasonAnswer
from tidegate.api.freeze_answers import FreezeAnswer
from tidegate.model.deployment import Deployment
from tidegate.model.environment import Environment
from tidegate.model.ids import split_placement
from tidegate.model.pipeline import Mode
from tidegate.model.placement import Placement
from tidegate.model.rollout import RolloutState
from tidegate.model.rollout_floor import way_on
from tidegate.model.service import Service, mode_of
from tidegate.model.step_environment import address_of
from tidegate.store.placement_queries import PlacementRecord


class DeploymentAnswer(Answer):
    """A deployment of which the target may hold something."""

    id: str
    environment: str
    release: str
    commit: str
    installed: int
    proven_at: datetime | None
    warm_until: datetime | None
    quarantined_at: datetime | None
    quarantined_because: str | None


class MoveAnswer(Answer):
    """The rollout that has not ended there."""

    id: str
    run: str | None
    state: RolloutState
    holds_because: str | None


class FloorAnswer(Answer):
    """Below which no release can serve: since a step of this one, which cannot be undone, may have begun. `because`
    says so in words, and `remedy` what is left to do."""

    label: str
    order: int
    step: str
    since: datetime
    because: str
    remedy: str


class PlacementAnswer(Answer):
    """A service in an environment: what serves there, which share of the traffic each commit gets, and where."""

    service: str
    environment: str
    release: str | None
    commit: str | None
    deployment: str | None
    health: str
    shares: dict[str, float]
    address: str
    generation: int
    reached_at: datetime | None
    stuck_because: str | None
    rollbacks_in_a_row: int
    floor: FloorAnswer | None
    rollout: MoveAnswer | None
    deployments: list[DeploymentAnswer]


class StatusAnswer(Answer):
    """What of a service runs where."""

    service: str
    mode: Mode
    mode_because: ReasonAnswer
    trouble: str | None
    paused_because: str | None
    line_stopped_because: str | None
    freezes: list[FreezeAnswer]
    environments: dict[str, PlacementAnswer]


class EnvironmentAnswer(Answer):
    """An environment, and what runs there."""

    name: str
    protected: bool
    target: str
    router: str
    freezes: list[FreezeAnswer]
    placements: list[PlacementAnswer]


def placement_answer(record: PlacementRecord) -> PlacementAnswer:
    """The placement as the API tells it."""
    placement, rollout, serving = record.placement, record.rollout, record.serving
    return PlacementAnswer(
        service=placement.service,
        environment=placement.environment,
        release=serving.release if serving else None,
        commit=serving.commit if serving else None,
        deployment=serving.id if serving else None,
        health=placement.health,
        shares=record.shares,
        address=address_of(placement),
        generation=placement.generation,
        reached_at=placement.reached_at,
        stuck_because=placement.stuck_because,
        rollbacks_in_a_row=placement.rollbacks_in_a_row,
        floor=_floor(placement),
        rollout=MoveAnswer.model_validate(rollout) if rollout and not rollout.state.is_ended else None,
        deployments=[deployment_answer(one) for one in record.deployments.values()],
    )


def _floor(placement: Placement) -> FloorAnswer | None:
    floor = placement.floor
    if floor is None:
        return None
    return FloorAnswer(
        label=floor.label,
        order=floor.order,
        step=floor.step,
        since=floor.since,
        because=floor.words,
        remedy=way_on(placement),
    )


def deployment_answer(deployment: Deployment) -> DeploymentAnswer:
    """The deployment as the API tells it."""
    own = {name: getattr(deployment, name) for name in DeploymentAnswer.model_fields if hasattr(deployment, name)}
    return DeploymentAnswer.model_validate({**own, "environment": split_placement(deployment.placement)[1]})


def status_answer(service: Service, placements: list[PlacementAnswer], freezes: list[FreezeAnswer]) -> StatusAnswer:
    """What of the service runs where. `freezes` are all that hold or are planned; told are those that concern it."""
    places = {one.environment for one in placements}
    mode = mode_of(service)
    return StatusAnswer(
        service=service.name,
        mode=mode.mode,
        mode_because=ReasonAnswer.model_validate(mode.because),
        trouble=service.trouble,
        paused_because=service.paused_because,
        line_stopped_because=service.line_stopped_because,
        freezes=[one for one in freezes if one.service in (None, service.name) and one.environment in places],
        environments={one.environment: one for one in placements},
    )


def environment_answer(
    environment: Environment, placements: list[PlacementAnswer], freezes: list[FreezeAnswer]
) -> EnvironmentAnswer:
    """The environment and what runs there. `freezes` are all that hold or are planned; told are those of it."""
    return EnvironmentAnswer(
        name=environment.name,
        protected=environment.protected,
        target=environment.target,
        router=environment.router,
        freezes=[one for one in freezes if one.environment == environment.name],
        placements=placements,
    )
