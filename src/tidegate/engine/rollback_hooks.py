"""What runs after a rollback: a run of its own, made in the transaction that ends the rollback."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.decision import Decision
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import RunId, StageName, StepRunId, split_placement
from tidegate.model.pipeline import Stage, Step
from tidegate.model.placement_draft import PlacementState
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun, StageState, Trigger
from tidegate.model.step_run import StepRun
from tidegate.store import events, queries, rows

STAGE = StageName("after the rollback")


def begin_after_rollback(
    connection: Connection, parts: Parts, state: PlacementState, decision: Decision
) -> tuple[Run, ...]:
    """Make the runs that what the decision took back asks for, none where it took nothing back."""
    before = state.rollout
    over = [
        one
        for one in decision.changes
        if isinstance(one, Rollout) and one.was_taken_back and not (before and before.id == one.id and before.ended_at)
    ]
    made = (_begin(connection, parts, one) for one in over)
    return tuple(run for run in made if run)


def _begin(connection: Connection, parts: Parts, rollout: Rollout) -> Run | None:
    back = queries.deployment(connection, rollout.taken_back) if rollout.taken_back else None
    release = queries.release(connection, back.release) if back else None
    stage = _stage(release, rollout) if release else None
    if release is None or stage is None or stage.deploy is None or not stage.deploy.after_rollback:
        return None
    steps = tuple(_told(connection, one, rollout) for one in stage.deploy.after_rollback)
    return _put(connection, parts, release, replace(stage, name=STAGE, steps=steps), rollout)


def _stage(release: Release, rollout: Rollout) -> Stage | None:
    """The stage of the release that deploys there: the rollout's own, else the last one."""
    environment = split_placement(rollout.placement)[1]
    there = [one for one in release.pipeline.stages if one.environment == environment and one.deploy]
    own = [one for one in there if one.name == rollout.stage]
    return next(reversed(own or there), None)


def _told(connection: Connection, step: Step, rollout: Rollout) -> Step:
    """The step, told what happened."""
    now = queries.deployment(connection, rollout.came_back) if rollout.came_back else None
    said = {
        "TIDEGATE_ROLLOUT": str(rollout.id),
        "TIDEGATE_ROLLBACK_CAUSE": rollout.cause.text if rollout.cause else "",
        "TIDEGATE_SERVING_RELEASE": str(now.release) if now else "",
        "TIDEGATE_SERVING_COMMIT": str(now.commit) if now else "",
    }
    return replace(step, env={**step.env, **said})


def _put(connection: Connection, parts: Parts, release: Release, stage: Stage, rollout: Rollout) -> Run:
    """Write the run, whose one stage works already: the record of the rollback is what opened it."""
    now = parts.clock.now()
    only = replace(stage, needs=(), deploy=None, verify=None)
    cause = rollout.cause.text if rollout.cause else "it was taken back"
    run = Run(
        id=RunId(parts.new_id()),
        service=release.service,
        change=release.change,
        order=release.order,
        trigger=Trigger.AFTER_ROLLBACK,
        created_at=now,
        pipeline=replace(release.pipeline, stages=(only,)),
        release=release.id,
    )
    rows.put(connection, run)
    opened_by = f"the rollback in {only.environment}: {cause}"
    work = StageRun(run.id, only.name, 0, only.environment, StageState.WORKING, opened_by=opened_by, began_at=now)
    rows.put(connection, work)
    for place, step in enumerate(only.steps):
        rows.put(connection, StepRun(StepRunId(parts.new_id()), run.id, only.name, step.name, place, step))
    about = {"service": str(run.service), "run": str(run.id), "commit": str(run.change.commit)}
    text = f"what {run.label} asks for after a rollback begins in {only.environment}: {cause}"
    data: dict[str, object] = {"rollout": str(rollout.id)}
    events.append(connection, [Event(EventKind.RUN_CREATED, text, about, data=data)], now)
    return run
