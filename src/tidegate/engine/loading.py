"""Loading: everything that a decision looks at, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.background import background_of
from tidegate.engine.pace import NO_TRAINS, pace_at
from tidegate.model.approval import Approval
from tidegate.model.background import Background
from tidegate.model.change import Change
from tidegate.model.environment import Environment
from tidegate.model.gate_approvals import Voters
from tidegate.model.gate_rules import ApprovalRule, GateRules
from tidegate.model.ids import (
    DeploymentId,
    EnvironmentName,
    IncidentId,
    PlacementId,
    ReleaseId,
    StageName,
    placement_id,
)
from tidegate.model.known_people import KnownPeople
from tidegate.model.pace import Pace
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, StageRun, StageState
from tidegate.model.run_draft import RunState, Site
from tidegate.model.stage_floor import awaits_final_step
from tidegate.model.step_cache import with_keys
from tidegate.model.step_run import StepRun, StepState
from tidegate.model.train import Train
from tidegate.store import agent_queries, cache_queries, gate_queries, incident_queries, queries, time_queries

_BEFORE = (StageState.PENDING, StageState.GATE)
"""How a stage stands that a release may yet enter."""


class Gone(Exception):
    """The row that was hinted at is not there (any more)."""


def load_run(
    connection: Connection,
    run: Run,
    environments: Mapping[EnvironmentName, Environment],
    now: datetime,
    new_release: ReleaseId,
    new_nonce: str = "",
    shown: StageName | None = None,
    trains: Mapping[str, Train] = NO_TRAINS,
) -> RunState:
    """A run with all that its decision looks at, and with the evidence for the stage that is shown. Raises Gone."""
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
    approvals = queries.approvals(connection, run.id) if stages else ()
    sites = _sites(connection, run, release, stages, environments, trains)
    may_enter = release is not None and any(stage.state in _BEFORE for stage in stages)
    rules = [rule for name, site in sites.items() for rule in rules_at(run, name, site.environment)]
    asks_outside = may_enter and any(rule.external for rule in rules)
    return RunState(
        run=run,
        service=service,
        stages=stages,
        steps=steps,
        release=release,
        rollouts={name: one for name, one in owned.items() if one},
        sites=sites,
        approvals=approvals,
        new_release=new_release,
        cached={one.id: cache_queries.cached_result(connection, one.key) for one in steps if _is_asked(one)},
        people=_people(connection, run, sites, approvals),
        questions=time_queries.questions_of_run(connection, run.id) if asks_outside else (),
        new_nonce=new_nonce,
        latest_recorded=time_queries.latest_recorded(connection) if may_enter else None,
        background=_background(connection, run, release, stages, sites, shown, now),
        broken_glass=gate_queries.broken_glass(connection, run.id) if release else (),
    )


def rules_at(run: Run, stage: StageName, environment: Environment) -> tuple[GateRules, ...]:
    """All rules of a stage's gate: the file's first, then those that the server demands."""
    assert run.pipeline is not None
    floors = environment.floors_for(run.service)
    return (run.pipeline.stage(stage).gate, *(floor.gate for floor in floors))


def _people(
    connection: Connection, run: Run, sites: Mapping[StageName, Site], approvals: Sequence[Approval]
) -> KnownPeople:
    rules = [rule for name, site in sites.items() for rule in rules_at(run, name, site.environment)]
    authors = [author for site in sites.values() for change in site.brings for author in change.authors]
    if not approvals and not any(rule.approvals for rule in rules):
        return KnownPeople()
    return gate_queries.known_people(connection, rules, approvals, authors)


def _background(
    connection: Connection,
    run: Run,
    release: Release | None,
    stages: Sequence[StageRun],
    sites: Mapping[StageName, Site],
    shown: StageName | None,
    now: datetime,
) -> dict[StageName, Background]:
    """What the evidence is made of, for the stages at whose gates policies are asked, and for the one that is shown."""
    if release is None:
        return {}
    waiting = {one.name for one in stages if one.state in (StageState.PENDING, StageState.GATE)}
    return {
        name: background_of(connection, run, release, site.placement, brought(connection, run, site.placement), now)
        for name, site in sites.items()
        if name == shown or (name in waiting and any(one.policies for one in rules_at(run, name, site.environment)))
    }


def _is_asked(step: StepRun) -> bool:
    return step.key is not None and step.state is StepState.WAITING


def _rollout_of(stage: StageRun, rollouts: tuple[Rollout, ...]) -> Rollout | None:
    return next((one for one in rollouts if one.id == stage.rollout), None)


def _sites(
    connection: Connection,
    run: Run,
    release: Release | None,
    stages: tuple[StageRun, ...],
    environments: Mapping[EnvironmentName, Environment],
    trains: Mapping[str, Train],
) -> dict[StageName, Site]:
    sites: dict[StageName, Site] = {}
    for stage in stages:
        placement = queries.placement(connection, placement_id(run.service, stage.environment))
        environment = environments.get(stage.environment) or Environment(stage.environment, protected=True)
        if placement is None:
            continue
        may_wait = stage.state in _BEFORE
        deployments = queries.deployments_here(connection, placement.id, [placement.serving])
        if run.release:
            for one in queries.deployments_of_release(connection, placement.id, run.release):
                deployments[one.id] = one
        rules = rules_at(run, stage.name, environment) if may_wait else ()
        pace = pace_at(connection, run, placement, rules, environments, trains) if may_wait else Pace()
        asks_authors = any(rule.approvals and rule.approvals.not_author for rule in rules)
        asks_passed = may_wait and any(floor.must_have_passed for floor in environment.floors_for(run.service))
        owner = queries.rollout(connection, placement.rollout)
        sites[stage.name] = Site(
            environment=environment,
            placement=placement,
            owner=owner,
            deployments=deployments,
            newer_waiting=queries.newer_waiting(connection, run, stage) if may_wait else None,
            older_ready=queries.older_ready(connection, run, stage) if may_wait else None,
            final_step_of=_final_step_of(connection, run, owner) if may_wait else None,
            incident=_incident_at(connection, placement) if may_wait and run.is_drill else None,
            freezes=time_queries.freezes_of(connection, run.service, stage.environment) if may_wait else (),
            brings=brought(connection, run, placement) if asks_authors or pace.limits else (),
            pace=pace,
            passed_in=gate_queries.passed_in(connection, release) if asks_passed and release else frozenset(),
        )
    return sites


def _incident_at(connection: Connection, placement: Placement) -> str | None:
    found = incident_queries.open_at(connection, placement.id)
    return found.reason if found else None


def _final_step_of(connection: Connection, run: Run, owner: Rollout | None) -> str | None:
    """The run of a placement's last rollout, where another is at the gate and that one has yet to set a floor."""
    if owner is None or owner.run is None or owner.run == run.id or not owner.has_passed:
        return None
    return owner.run if awaits_final_step(queries.steps(connection, owner.run), owner) else None


def brought(connection: Connection, run: Run, placement: Placement) -> tuple[Change, ...]:
    """The changes that the run's release would bring to the placement, the newest first; at least its own."""
    serving = queries.deployment(connection, placement.serving) if placement.serving else None
    found = gate_queries.changes_between(connection, run.service, serving.order if serving else 0, run.order)
    return found if run.change in found else (run.change, *found)


def load_placement(
    connection: Connection,
    placement: PlacementId,
    environments: Mapping[EnvironmentName, Environment],
    batch: timedelta,
    new_incident: IncidentId,
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
    environment = environments.get(found.environment) or Environment(found.environment, protected=True)
    approvals: tuple[Approval, ...] = ()
    gate, voters = GateRules(), Voters()
    if run and rollout and rollout.stage and rollout.state is RolloutState.ASKING:
        given = queries.approvals(connection, run.id)
        approvals = tuple(one for one in given if one.stage == rollout.stage)
        gate, voters = _asked_between_shares(connection, run, rollout.stage, found, approvals)
    return PlacementState(
        placement=found,
        environment=environment,
        service=service,
        rollout=rollout,
        deployments=queries.deployments_here(connection, placement, _named(found, rollout)),
        effects=queries.effects(connection, placement, found.generation),
        approvals=approvals,
        gate=gate,
        voters=voters,
        run_open=run is not None and not run.status.is_ended,
        batch=batch,
        incident=incident_queries.open_at(connection, placement),
        new_incident=new_incident,
    )


def asked_at(
    connection: Connection, run: Run, stage: StageName, environment: Environment, given: Approval
) -> tuple[tuple[ApprovalRule, ...], Voters]:
    """The rules by which a word at a stage counts, and whom it is weighed against."""
    rules = rules_at(run, stage, environment)
    asked = tuple(one.approvals for one in rules if one.approvals)
    placement = queries.placement(connection, placement_id(run.service, environment.name))
    by_author = placement is not None and any(one.not_author for one in asked)
    changes = brought(connection, run, placement) if placement and by_author else ()
    authors = tuple(author for change in changes for author in change.authors)
    people = gate_queries.known_people(connection, rules, (given,), authors)
    return asked, Voters(people, authors, run.actor.name if run.by_person else None)


def _asked_between_shares(
    connection: Connection, run: Run, stage: StageName, placement: Placement, approvals: Sequence[Approval]
) -> tuple[GateRules, Voters]:
    """The file's rules at the gate of the stage, and whom the words between its shares are weighed against."""
    assert run.pipeline is not None
    gate = run.pipeline.stage(stage).gate
    changes = brought(connection, run, placement) if gate.approvals and gate.approvals.not_author else ()
    authors = tuple(author for change in changes for author in change.authors)
    people = gate_queries.known_people(connection, (gate,), approvals, authors)
    return gate, Voters(people, authors, run.actor.name if run.by_person else None)


def _named(placement: Placement, rollout: Rollout | None) -> list[DeploymentId | None]:
    named: list[DeploymentId | None] = [part.deployment for part in placement.arrangement.parts]
    if rollout:
        named += [rollout.new, rollout.old]
    return named


def with_facts(state: PlacementState, **facts: object) -> PlacementState:
    """The state with what was observed outside."""
    return replace(state, **facts)  # type: ignore[arg-type]
