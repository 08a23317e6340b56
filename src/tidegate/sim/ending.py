"""How a simulated world should stand when it is at rest: all that the rows say is true, whole and explained."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind
from tidegate.model.ids import DeploymentId
from tidegate.model.installation import InstallationState
from tidegate.model.next_acts import next_acts
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import CHECK_EVERY
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.run import Run, StageState
from tidegate.model.share import NONE, WHOLE
from tidegate.sim.broken import RuleBroken
from tidegate.sim.hook_rules import check_hooks_ran
from tidegate.sim.rest import is_stuck, is_stuck_with
from tidegate.sim.router import Split
from tidegate.sim.world import World
from tidegate.store import events, queries


def check_ending(world: World) -> None:
    """Check that the rows at rest are true, whole and explained. Raises RuleBroken."""
    with world.database.reading() as connection:
        if not events.check_chain(connection).ok:
            raise RuleBroken("the record is a whole chain", str(events.check_chain(connection)))
        for run in queries.newest_runs(connection, limit=1000):
            _check_run(connection, world, run)
        for placement in queries.placements(connection):
            if is_stuck(connection, world, placement):
                continue
            _check_placement(connection, world, placement)
            _check_people_were_heard(connection, placement)
        _check_gates(connection)
        _check_record(connection, world)
        _check_ports(connection)
        check_hooks_ran(connection)
    world.rules.check_waiting(world.server_clock.now())


def _check_run(connection: Connection, world: World, run: Run) -> None:
    if run.status.is_ended:
        unended = [one.name for one in queries.steps(connection, run.id) if not one.state.is_ended]
        if unended and run.pipeline is not None:
            raise RuleBroken("a run that has ended has no open steps", f"run {run.id}: {', '.join(unended)}")
        if not run.because:
            raise RuleBroken("12 every ending says why", f"run {run.id} is {run.status.value}")
        return
    service = queries.known_service(connection, run.service)
    stages, rollouts = queries.stages(connection, run.id), queries.rollouts_of_run(connection, run.id)
    if not next_acts(run, service, stages, rollouts) and not is_stuck_with(connection, world, run):
        raise RuleBroken("12 what waits says what ends it", f"run {run.id} is {run.status.value}: {run.because}")


def _check_placement(connection: Connection, world: World, placement: Placement) -> None:
    split = Split.of(world.router.shares(placement.id)).fractions
    told = {part.deployment: part.share.fraction for part in placement.arrangement.parts if part.share > NONE}
    if split != told:
        raise RuleBroken("the router serves what the rows say", f"{placement.id}: {split}, told {told}")
    rollout = queries.rollout(connection, placement.rollout)
    if rollout and rollout.state.owns_placement:
        return
    if len(told) > 1 or any(part.share not in (NONE, WHOLE) for part in placement.arrangement.parts):
        raise RuleBroken("2 a placement at rest serves one deployment", f"{placement.id}: {told}")
    for deployment in queries.deployments_of_placement(connection, placement.id):
        _check_instances(world, placement, deployment)


def _check_people_were_heard(connection: Connection, placement: Placement) -> None:
    service = queries.known_service(connection, placement.service)
    if service and service.removed_at and placement.serving:
        raise RuleBroken("what is removed serves no more", f"{placement.id}: {placement.serving}")
    for rollout in queries.rollouts_of_placement(connection, placement.id, limit=1000):
        if rollout.rollback_asked and rollout.state is not RolloutState.ROLLED_BACK:
            seen = f"{rollout.id} is {rollout.state.value}, asked by {rollout.rollback_asked.actor}"
            raise RuleBroken("8 nothing keeps a rollback waiting", seen)


def _check_gates(connection: Connection) -> None:
    """Of those that wait at one gate for an approval only the newest is left."""
    waiting: dict[tuple[str, str], list[Run]] = {}
    for run in queries.open_runs(connection):
        for stage in queries.stages(connection, run.id):
            asks = stage.gate is not None and any(one.rule == "approvals" for one in stage.gate.blocking)
            if stage.state is StageState.GATE and asks and not run.by_person:
                waiting.setdefault((run.service, stage.environment), []).append(run)
    for (service, environment), runs in waiting.items():
        if len(runs) > 1:
            raise RuleBroken(
                "5 a newer release supersedes one that waits unapproved",
                f"{', '.join(run.id for run in runs)} wait at {service}/{environment}",
            )


def _check_instances(world: World, placement: Placement, deployment: Deployment) -> None:
    seen = world.target.settled(deployment.id)
    part = placement.arrangement.part(deployment.id)
    if part is None:
        if seen.state is not InstallationState.ABSENT:
            raise RuleBroken("nothing is left behind", f"{deployment.id} is {seen.state.value}")
        return
    if world.target.is_dying(deployment.id):
        _check_said(world, placement, deployment.id)
        return
    if seen.state is not InstallationState.READY or len(seen.healthy) != deployment.runtime.instances:
        raise RuleBroken("2 all instances of it serve", f"{deployment.id} is {seen}, {placement}")


def _check_said(world: World, placement: Placement, dying: DeploymentId) -> None:
    """What nobody can keep alive is at least said, on the placement and in the record, once it was looked at."""
    failed_at = world.target.failed_at(dying)
    if failed_at is None or world.clock.now() < failed_at + 2 * CHECK_EVERY:
        return
    told = any(
        one.event.kind is EventKind.PLACEMENT_HEALTH and placement.id in one.event.text for one in world.rules.seen
    )
    if placement.health == "healthy" or not told:
        raise RuleBroken("what does not run is said", f"{placement.id}: {placement.health}")


def _check_ports(connection: Connection) -> None:
    wanted = {one.port for one in queries.placements(connection)}
    for placement in queries.placements(connection):
        for deployment in queries.deployments_of_placement(connection, placement.id):
            # those that it left to somebody else stay reserved as long as it is there
            wanted.update(queries.ports_of(connection, deployment.id) if deployment.present else ())
            if deployment.present and not set(deployment.ports) <= wanted:
                raise RuleBroken("ports are reserved", f"{deployment.id} has {deployment.ports}")
    if queries.ports_taken(connection) != wanted:
        raise RuleBroken("ports are given back", f"{sorted(queries.ports_taken(connection) ^ wanted)}")


def _check_record(connection: Connection, world: World) -> None:
    """Everything that the rows say has happened is told."""
    told = Counter((one.event.kind, _subject(one.event.about)) for one in world.rules.seen)
    for run in queries.newest_runs(connection, limit=1000):
        _must(told, EventKind.RUN_CREATED, run.id)
        if run.status.is_ended:
            _must(told, EventKind.RUN_ENDED, run.id)
        if run.release and queries.release(connection, run.release).run == run.id:  # type: ignore[union-attr]
            _must(told, EventKind.RELEASE_CREATED, run.id)
        for approval in queries.approvals(connection, run.id):
            _must(told, EventKind.APPROVAL_GIVEN, approval.run)
    for placement in queries.placements(connection):
        for rollout in queries.rollouts_of_placement(connection, placement.id, limit=1000):
            _check_told(told, rollout)


def _check_told(told: Counter[tuple[EventKind, str]], rollout: Rollout) -> None:
    _must(told, EventKind.ROLLOUT_BEGAN, rollout.id)
    if rollout.passed_at:
        _must(told, EventKind.ROLLOUT_PASSED, rollout.id)
    if rollout.decided_at:
        _must(told, EventKind.ROLLBACK_DECIDED, rollout.id)
    if rollout.state.is_ended:
        _must(told, EventKind.ROLLOUT_ENDED, rollout.id)
    if rollout.state is RolloutState.ROLLED_BACK:
        _must(told, EventKind.ROLLBACK_ROUTED, rollout.id)
    if rollout.kind is RolloutKind.RELEASE and rollout.step_since and rollout.plan:
        _must(told, EventKind.ROLLOUT_SHARES, rollout.id)


def _subject(about: object) -> str:
    assert isinstance(about, dict)
    return str(about.get("rollout") or about.get("run") or "")


def _must(told: Counter[tuple[EventKind, str]], kind: EventKind, subject: str) -> None:
    if not told[kind, subject]:
        raise RuleBroken("no event is lost", f"{kind.value} of {subject} was never told")
