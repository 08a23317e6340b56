"""When a simulated world is at rest: nothing moves by itself, and what does not go on waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run
from tidegate.model.share import NONE
from tidegate.model.step_run import StepState
from tidegate.sim.server import SimulatedServer
from tidegate.sim.world import World
from tidegate.store import queries

_UNDER_WAY = (StepState.READY, StepState.RUNNING)
_MOVING = (RolloutState.MOVING, RolloutState.RETURNING)


def is_at_rest(world: World) -> bool:
    """Whether nothing more happens by itself."""
    return world.server is not None and not _is_looking(world, world.server) and next(_restless(world), None) is None


def _is_looking(world: World, server: SimulatedServer) -> bool:
    """Whether there is something that it would look at now: after a start that is everything."""
    next_at = server.queue.next_at
    return next_at is not None and next_at <= world.server_clock.now()


def why_restless(world: World) -> str:
    """What still goes on."""
    return "; ".join(_restless(world)) if world.server else "the server is down"


def is_stuck(connection: Connection, world: World, placement: Placement) -> bool:
    """Whether a placement should have what nobody can run, and says so: a person named it."""
    wanted = [part.deployment for part in placement.arrangement.parts if part.instances]
    deployments = [queries.deployment(connection, one) for one in wanted]
    hopeless = any(one and world.version_of_commit(one.commit).cannot_run for one in deployments)
    return placement.stuck_because is not None and hopeless


def is_stuck_with(connection: Connection, world: World, run: Run) -> bool:
    """Whether what a run deploys is at a placement that is stuck."""
    for rollout in queries.rollouts_of_run(connection, run.id):
        placement = queries.placement(connection, rollout.placement)
        if placement and not rollout.state.is_ended and is_stuck(connection, world, placement):
            return True
    return False


def _restless(world: World) -> Iterator[str]:
    with world.database.reading() as connection:
        for run in queries.open_runs(connection):
            under_way = [one.name for one in queries.steps(connection, run.id) if one.state in _UNDER_WAY]
            if under_way:
                yield f"run {run.id} performs {', '.join(under_way)}"
            elif not run.because and not _is_waited_for(connection, world, run):
                yield f"run {run.id} waits for nothing"
        stuck = {one.id for one in queries.placements(connection) if is_stuck(connection, world, one)}
        for rollout in queries.active_rollouts(connection):
            if rollout.placement not in stuck:
                yield from _goes_on(connection, rollout)
        for placement in queries.placements(connection):
            if placement.id not in stuck:
                yield from _unsettled(connection, world, placement)


def _goes_on(connection: Connection, rollout: Rollout) -> Iterator[str]:
    if rollout.state in _MOVING:
        yield f"rollout {rollout.id} is {rollout.state.value}"
    elif rollout.state is RolloutState.WATCHING:
        run_of = queries.run(connection, rollout.run) if rollout.run else None
        if run_of is None or run_of.status.is_ended:
            yield f"rollout {rollout.id} is watched"
    elif not _waits(rollout):
        yield f"rollout {rollout.id} collects evidence"


def _is_waited_for(connection: Connection, world: World, run: Run) -> bool:
    rollouts = queries.rollouts_of_run(connection, run.id)
    return any(map(_waits, rollouts)) or is_stuck_with(connection, world, run)


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
