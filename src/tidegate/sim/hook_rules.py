"""Rule 8 about hooks: what a release asks for after a rollback runs once, and not before the traffic has moved."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import split_placement
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, Trigger
from tidegate.sim.broken import RuleBroken
from tidegate.sim.recorded import run_of
from tidegate.store import queries


def check_hook_begins(connection: Connection, recorded: RecordedEvent) -> None:
    """Look at a step that is ready. Raises RuleBroken."""
    if recorded.event.kind is not EventKind.STEP_READY:
        return
    run = run_of(connection, recorded)
    if run.trigger is not Trigger.AFTER_ROLLBACK:
        return
    rollout = queries.rollout(connection, _rollout_of(connection, run))
    if rollout is None or not rollout.was_taken_back:
        raise RuleBroken("8 traffic moves first, hooks run after", f"run {run.id}: {rollout}")


def check_hooks_ran(connection: Connection) -> None:
    """Look at what there is in the end: one run for each rollback of what asks for it, and none else.

    Raises RuleBroken.
    """
    runs = queries.newest_runs(connection, limit=1000)
    found = Counter(_rollout_of(connection, one) for one in runs if one.trigger is Trigger.AFTER_ROLLBACK)
    placements = queries.placements(connection)
    rollouts = (one for each in placements for one in queries.rollouts_of_placement(connection, each.id, limit=1000))
    wanted = Counter(str(one.id) for one in rollouts if one.was_taken_back and _asks(connection, one))
    if found != wanted:
        raise RuleBroken("8 what is asked for after a rollback runs once", f"{dict(found)}, wanted {dict(wanted)}")


def _rollout_of(connection: Connection, run: Run) -> str:
    return queries.steps(connection, run.id)[0].step.env["TIDEGATE_ROLLOUT"]


def _asks(connection: Connection, rollout: Rollout) -> bool:
    back = queries.deployment(connection, rollout.taken_back) if rollout.taken_back else None
    release = queries.release(connection, back.release) if back else None
    environment = split_placement(rollout.placement)[1]
    stages = release.pipeline.stages if release else ()
    return any(one.deploy and one.deploy.after_rollback for one in stages if one.environment == environment)
