"""Loading: everything that a decision looks at, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.model.environment import Environment
from tidegate.model.ids import DeploymentId, EnvironmentName, PlacementId, ReleaseId, StageName, placement_id
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun, StageState
from tidegate.model.run_draft import RunState, Site
from tidegate.model.step_cache import with_keys
from tidegate.model.step_run import StepRun, StepState
from tidegate.store import agent_queries, cache_queries, queries


class Gone(Exception):
    """The row that was hinted at is not there (any more)."""


def load_run(
    connection: Connection, run: Run, environments: Mapping[EnvironmentName, Environment], new_release: ReleaseId
) -> RunState:
    """A run with all that its decision looks at. Raises Gone."""
    service = queries.known_service(connection, run.service)
    if service is None:
        raise Gone(run.id)
    stages = queries.stages(connection, run.id)
    release = queries.release(connection, run.release)
    # only stages have rollouts, and ask people
    rollouts = queries.rollouts_of_run(connection, run.id) if stages else ()
    steps = queries.steps(connection, run.id)
    if run.pipeline and any(one.files is not None and one.state is StepState.WAITING for one in steps):
        steps = with_keys(run, steps, agent_queries.agents(connection))
    owned = {stage.name: _rollout_of(stage, rollouts) for stage in stages}
    return RunState(
        run=run,
        service=service,
        stages=stages,
        steps=steps,
        release=release,
        rollouts={name: one for name, one in owned.items() if one},
        sites=_sites(connection, run, stages, environments),
        approvals=queries.approvals(connection, run.id) if stages else (),
        new_release=new_release,
        cached={one.id: cache_queries.cached_result(connection, one.key) for one in steps if _is_asked(one)},
    )


def _is_asked(step: StepRun) -> bool:
    return step.key is not None and step.state is StepState.WAITING


def _rollout_of(stage: StageRun, rollouts: tuple[Rollout, ...]) -> Rollout | None:
    return next((one for one in rollouts if one.id == stage.rollout), None)


def _sites(
    connection: Connection, run: Run, stages: tuple[StageRun, ...], environments: Mapping[EnvironmentName, Environment]
) -> dict[StageName, Site]:
    sites: dict[StageName, Site] = {}
    for stage in stages:
        placement = queries.placement(connection, placement_id(run.service, stage.environment))
        environment = environments.get(stage.environment) or Environment(stage.environment, protected=True)
        if placement is None:
            continue
        may_wait = stage.state in (StageState.PENDING, StageState.GATE)
        deployments = queries.deployments_here(connection, placement.id, [placement.serving])
        if run.release:
            for one in queries.deployments_of_release(connection, placement.id, run.release):
                deployments[one.id] = one
        sites[stage.name] = Site(
            environment=environment,
            placement=placement,
            owner=queries.rollout(connection, placement.rollout),
            deployments=deployments,
            newer_waiting=queries.newer_waiting(connection, run, stage) if may_wait else None,
            older_ready=queries.older_ready(connection, run, stage) if may_wait else None,
        )
    return sites


def load_placement(
    connection: Connection,
    placement: PlacementId,
    environments: Mapping[EnvironmentName, Environment],
    batch: timedelta,
) -> PlacementState:
    """A placement and all that its decision looks at, but for what the target and the figures say. Raises Gone."""
    found = queries.placement(connection, placement)
    if found is None:
        raise Gone(placement)
    service = queries.known_service(connection, found.service)
    if service is None:
        raise Gone(placement)
    rollout = queries.rollout(connection, found.rollout)
    run = queries.run(connection, rollout.run) if rollout and rollout.run else None
    approvals = queries.approvals(connection, rollout.run) if rollout and rollout.run else ()
    return PlacementState(
        placement=found,
        environment=environments.get(found.environment) or Environment(found.environment, protected=True),
        service=service,
        rollout=rollout,
        deployments=queries.deployments_here(connection, placement, _named(found, rollout)),
        effects=queries.effects(connection, placement, found.generation),
        approvals=tuple(one for one in approvals if rollout and one.stage == rollout.stage),
        run_open=run is not None and not run.status.is_ended,
        batch=batch,
    )


def _named(placement: Placement, rollout: Rollout | None) -> list[DeploymentId | None]:
    named: list[DeploymentId | None] = [part.deployment for part in placement.arrangement.parts]
    if rollout:
        named += [rollout.new, rollout.old]
    return named


def with_facts(state: PlacementState, **facts: object) -> PlacementState:
    """The state with what was observed outside."""
    return replace(state, **facts)  # type: ignore[arg-type]
