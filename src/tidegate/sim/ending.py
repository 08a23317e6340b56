"""How a simulated world should stand in the end: nothing moves, what waits says for whom, and all of it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
from tidegate.model.step_run import StepState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.router import Split
from tidegate.sim.world import World
from tidegate.store import events, queries

_UNDER_WAY = (StepState.READY, StepState.RUNNING)
_MOVING = (RolloutState.MOVING, RolloutState.RETURNING)


def is_at_rest(world: World) -> bool:
    """Whether nothing more happens by itself."""
    return world.server is not None and next(_restless(world), None) is None


def why_restless(world: World) -> str:
    """What still goes on."""
    return "; ".join(_restless(world)) if world.server else "the server is down"


def check_ending(world: World) -> None:
    """Check that the rows at rest are true, whole and explained. Raises RuleBroken."""
    with world.database.reading() as connection:
        if not events.check_chain(connection).ok:
            raise RuleBroken("the record is a whole chain", str(events.check_chain(connection)))
        for run in queries.newest_runs(connection, limit=1000):
            _check_run(connection, run)
        for placement in queries.placements(connection):
            _check_placement(connection, world, placement)
            _check_people_were_heard(connection, placement)
        _check_gates(connection)
        _check_record(connection, world)
        _check_ports(connection)


def _restless(world: World) -> Iterator[str]:
    with world.database.reading() as connection:
        for run in queries.open_runs(connection):
            under_way = [one.name for one in queries.steps(connection, run.id) if one.state in _UNDER_WAY]
            if under_way:
                yield f"run {run.id} performs {', '.join(under_way)}"
            elif not run.because and not any(map(_waits, queries.rollouts_of_run(connection, run.id))):
                yield f"run {run.id} waits for nothing"
        for rollout in queries.active_rollouts(connection):
            if rollout.state in _MOVING:
                yield f"rollout {rollout.id} is {rollout.state.value}"
            elif rollout.state is RolloutState.WATCHING:
                run_of = queries.run(connection, rollout.run) if rollout.run else None
                if run_of is None or run_of.status.is_ended:
                    yield f"rollout {rollout.id} is watched"
            elif not _waits(rollout):
                yield f"rollout {rollout.id} collects evidence"
        for placement in queries.placements(connection):
            yield from _unsettled(connection, world, placement)


def _waits(rollout: Rollout) -> bool:
    """Whether a rollout waits for a person."""
    if rollout.state is RolloutState.JUDGING:
        return rollout.held or rollout.holds_because is not None
    return rollout.state is RolloutState.ASKING


def _unsettled(connection: Connection, world: World, placement: Placement) -> Iterator[str]:
    if placement.reached_at is None:
        yield f"{placement.id} is on its way"
    rollout = queries.rollout(connection, placement.rollout)
    if rollout and rollout.state.owns_placement:
        return
    deployments = queries.deployments_here(connection, placement.id)
    for deployment in deployments.values():
        part = placement.arrangement.part(deployment.id)
        if part is None or part.share == NONE:
            yield f"{deployment.id} is still there"
        elif deployment.installed != part.instances:
            yield f"{deployment.id} has {deployment.installed} instances"
    if placement.health not in ("healthy", "empty") and not world.target.is_dying(placement.serving):
        yield f"{placement.id} is {placement.health}"


def _check_run(connection: Connection, run: Run) -> None:
    if run.status.is_ended:
        unended = [one.name for one in queries.steps(connection, run.id) if not one.state.is_ended]
        if unended and run.pipeline is not None:
            raise RuleBroken("a run that has ended has no open steps", f"run {run.id}: {', '.join(unended)}")
        if not run.because:
            raise RuleBroken("12 every ending says why", f"run {run.id} is {run.status.value}")
        return
    service = queries.known_service(connection, run.service)
    stages, rollouts = queries.stages(connection, run.id), queries.rollouts_of_run(connection, run.id)
    if not next_acts(run, service, stages, rollouts):
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
    if rollout.state is RolloutState.ROLLED_BACK:
        _must(told, EventKind.ROLLBACK_ROUTED, rollout.id)
        _must(told, EventKind.ROLLOUT_ENDED, rollout.id)
    if rollout.kind is RolloutKind.RELEASE and rollout.step_since and rollout.plan:
        _must(told, EventKind.ROLLOUT_SHARES, rollout.id)


def _subject(about: object) -> str:
    assert isinstance(about, dict)
    return str(about.get("rollout") or about.get("run") or "")


def _must(told: Counter[tuple[EventKind, str]], kind: EventKind, subject: str) -> None:
    if not told[kind, subject]:
        raise RuleBroken("no event is lost", f"{kind.value} of {subject} was never told")
