"""What should have become of each run of a simulated world, as far as nobody interfered."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from tidegate.model.ids import RunId
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import OnDoubt
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, RunStatus, Trigger
from tidegate.model.share import NONE
from tidegate.model.step_run import BUILD
from tidegate.sim.broken import RuleBroken
from tidegate.sim.people import People
from tidegate.sim.version import Version
from tidegate.sim.world import World
from tidegate.store import queries

MANY_REQUESTS = 40.0
"""So many a second show a visible harm within any time that a simulated rollout takes."""

_PROMOTED = (RunStatus.SUCCEEDED, RunStatus.SUPERSEDED)


def check_expectations(world: World, people: People, rate: float) -> None:
    """Good releases are promoted, harmful ones are not. Raises RuleBroken."""
    with world.database.reading() as connection:
        for run in queries.newest_runs(connection, limit=1000):
            version = world.version_of_commit(run.change.commit)
            if not run.status.is_ended:
                continue
            if version.is_good and not _somebody_interfered(connection, run, people.touched):
                _check_good(connection, run)
            if version.is_harmful:
                _check_harmful(connection, world, run, rate, people.promoted)
            if run.status is RunStatus.SUCCEEDED and _cannot_pass(connection, run, version, people.promoted):
                raise RuleBroken("what cannot run is not promoted", f"run {run.id} of {version}")


def _check_good(connection: Connection, run: Run) -> None:
    if run.status in _PROMOTED or _went_back_in_doubt(connection, run):
        return
    because = "; ".join(map(str, run.because))
    raise RuleBroken("good releases are promoted", f"run {run.id} is {run.status.value}: {because}")


def _somebody_interfered(connection: Connection, run: Run, touched: Collection[RunId]) -> bool:
    if run.id in touched or run.trigger is not Trigger.PUSH:
        return True
    reports = [report for step in queries.steps(connection, run.id) for report in (step.report, *step.earlier)]
    return any(report is not None and report.outcome is StepOutcome.LOST for report in reports)


def _went_back_in_doubt(connection: Connection, run: Run) -> bool:
    """Whether the file says that it goes back where there is no answer, and there was none."""
    rollouts = queries.rollouts_of_run(connection, run.id)
    return any(
        one.cause is not None
        and not one.cause.for_cause
        and one.verify is not None
        and OnDoubt.ROLLBACK in (one.verify.no_data, one.verify.undecided)
        for one in rollouts
    )


def _cannot_pass(connection: Connection, run: Run, version: Version, promoted: Collection[RunId]) -> bool:
    """Whether it cannot be built or installed, or fails the tests that a stage asks for and that no person skipped."""
    tested = run.id not in promoted and any(
        step.scope != BUILD and step.step.is_work for step in queries.steps(connection, run.id)
    )
    return version.build_fails or version.prepare_fails or version.never_healthy or (version.tests_fail and tested)


def _check_harmful(connection: Connection, world: World, run: Run, rate: float, promoted: Collection[RunId]) -> None:
    if run.status is not RunStatus.SUCCEEDED or run.id in promoted or rate < MANY_REQUESTS:
        return
    for rollout in queries.rollouts_of_run(connection, run.id):
        if rollout.passed_at and _could_be_seen(connection, world, rollout):
            raise RuleBroken("what does visible harm is not promoted", f"rollout {rollout.id} of run {run.id}")


def _could_be_seen(connection: Connection, world: World, rollout: Rollout) -> bool:
    """Whether it was compared with a good one beside it."""
    old = queries.deployment(connection, rollout.old) if rollout.old else None
    if old is None or rollout.verify is None or rollout.plan[0].share.rest == NONE or not rollout.plan[0].judged:
        return False
    if OnDoubt.PROMOTE in (rollout.verify.no_data, rollout.verify.undecided):
        return False
    return world.version_of_commit(old.commit).does_no_harm
