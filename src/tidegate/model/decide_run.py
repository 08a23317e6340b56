"""The decision about a run: which step is ready, whether a gate opens, and how the run ends."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from functools import partial

from tidegate.model.decision import Decision
from tidegate.model.event import EventKind
from tidegate.model.ids import EnvironmentName
from tidegate.model.lease import TestReport
from tidegate.model.origin import origins_of
from tidegate.model.pipeline import Pipeline
from tidegate.model.reason import Reason
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.run import RunStatus, StageRun, StageState, Trigger
from tidegate.model.run_draft import RunDraft, RunState
from tidegate.model.run_stages import advance_stage
from tidegate.model.stage_proof import ask_rollback
from tidegate.model.step_condition import is_wanted
from tidegate.model.step_progress import Outcome, advance_steps, first_failure, outcome_of
from tidegate.model.step_run import BUILD, StepRun

_ENDINGS = {
    StageState.FAILED: RunStatus.FAILED,
    StageState.ROLLED_BACK: RunStatus.ROLLED_BACK,
    StageState.REJECTED: RunStatus.REJECTED,
    StageState.SUPERSEDED: RunStatus.SUPERSEDED,
    StageState.CANCELLED: RunStatus.CANCELLED,
}


def decide_run(state: RunState, now: datetime) -> Decision:
    """Decide what a run does now: build, make the release, pass its stages one after another, end."""
    draft = RunDraft(state, now)
    if state.run.status.is_ended:
        _look_back(draft)
    elif state.run.cancel_asked_by:
        _cancel(draft, state.run.cancel_asked_by)
    elif state.run.pipeline is not None and _build(draft, state.run.pipeline):
        for stage in sorted(draft.stages.values(), key=lambda one: one.position):
            advance_stage(draft, stage.name)
        _conclude(draft)
    return draft.decision()


def _build(draft: RunDraft, pipeline: Pipeline) -> bool:
    """Advance the build; whether there is a release to go on with."""
    if draft.release is not None:
        return True
    steps = advance_steps(
        draft.scope(BUILD), draft.now, cached=draft.state.cached, is_wanted=partial(is_wanted, draft.run)
    )
    draft.save_steps(steps)
    outcome = outcome_of(draft.scope(BUILD))
    if outcome is Outcome.FAILED:
        failed = first_failure(draft.scope(BUILD))
        _close_others(draft)
        _end(draft, RunStatus.FAILED, (_step_reason(failed),) if failed else ())
    if outcome is not Outcome.SUCCEEDED:
        return False
    draft.release = _make_release(draft, pipeline)
    draft.run = replace(draft.run, release=draft.release.id)
    _say_built(draft, draft.release)
    return True


def _say_built(draft: RunDraft, release: Release) -> None:
    """Record the digests and where they come from beside the words: the record cannot be changed unseen."""
    tests = release.tests
    draft.say(
        EventKind.RELEASE_CREATED,
        f"{release.label} is built: {draft.run.change.subject}",
        author=f"{release.change.author_name} <{release.change.author_email}>",
        tests={"total": tests.total, "failed": tests.failed, "skipped": tests.skipped} if tests else None,
        line_coverage=release.line_coverage,
        artifacts={one.name: one.digest for one in release.artifacts},
        origins=[asdict(one) for one in release.origins],
    )


def _step_reason(step: StepRun) -> Reason:
    detail = step.report.detail if step.report else step.state.words
    return Reason("steps", f"{step.scope}: {step.name} {step.state.words}: {detail}", f"tidegate logs {step.run}")


def _make_release(draft: RunDraft, pipeline: Pipeline) -> Release:
    reports = [step.report for step in draft.scope(BUILD) if step.report]
    coverage = [report.line_coverage for report in reports if report.line_coverage is not None]
    return Release(
        id=draft.state.new_release,
        service=draft.run.service,
        run=draft.run.id,
        order=draft.run.order,
        created_at=draft.now,
        change=draft.run.change,
        pipeline=pipeline,
        artifacts=tuple(file for report in reports for file in report.artifacts),
        origins=origins_of(draft.scope(BUILD)),
        tests=TestReport.together(report.tests for report in reports if report.tests),
        line_coverage=min(coverage, default=None),
    )


def _conclude(draft: RunDraft) -> None:
    stages = sorted(draft.stages.values(), key=lambda one: one.position)
    bad = next((one for one in stages if one.state in _ENDINGS), None)
    if bad:
        _close_others(draft)
        if not any(_moves(draft, one) for one in draft.stages.values()):
            why = Reason("stages", f"{bad.name}: {bad.because}")
            _end(draft, _ENDINGS[bad.state], (why,), bad.environment)
        return
    if all(one.state is StageState.PASSED for one in stages):
        last = stages[-1].environment if stages else None
        _end(draft, RunStatus.SUCCEEDED, (Reason("stages", "every stage passed"),), last)
        return
    at_gate = [one for one in stages if one.state is StageState.GATE and one.gate]
    working = any(one.state is StageState.WORKING for one in stages)
    status = RunStatus.WAITING if at_gate and not working else RunStatus.RUNNING
    because = tuple(reason for one in at_gate if one.gate for reason in one.gate.blocking)
    draft.run = replace(draft.run, status=status, because=because)


def _moves(draft: RunDraft, stage: StageRun) -> bool:
    """Whether something of the stage still goes forward or back."""
    rollout = draft.rollout(stage.name)
    return stage.state is StageState.WORKING or bool(rollout and rollout.state is RolloutState.RETURNING)


def _close_others(draft: RunDraft) -> None:
    """No stage that has not begun will begin."""
    for one in list(draft.stages.values()):
        if one.state in (StageState.PENDING, StageState.GATE):
            draft.save_steps(advance_steps(draft.scope(one.name), draft.now, cancel=True))
            draft.update_stage(one.name, state=StageState.CANCELLED, because="the run ended before", ended_at=draft.now)


def _end(
    draft: RunDraft, status: RunStatus, because: tuple[Reason, ...], environment: EnvironmentName | None = None
) -> None:
    draft.run = replace(draft.run, status=status, because=because, ended_at=draft.now)
    why = "; ".join(reason.text for reason in because)
    ended = status.value.replace("_", " ")
    said = f"{draft.run.label} {ended}: {why}"
    if draft.run.trigger is Trigger.AFTER_ROLLBACK:
        said = f"what {draft.run.label} asks for after a rollback {ended}: {why}"
        draft.say(EventKind.RUN_ENDED, said, status=status.value, environment=environment, after_rollback=True)
    else:
        draft.say(EventKind.RUN_ENDED, said, status=status.value, environment=environment)


def _cancel(draft: RunDraft, who: str) -> None:
    """Stop what runs, roll back what moves (not for cause), and end when all of it is quiet."""
    for scope in (BUILD, *draft.stages):
        draft.save_steps(advance_steps(draft.scope(scope), draft.now, cancel=True))
    quiet = all(step.state.is_ended for step in draft.steps.values())
    for stage in list(draft.stages.values()):
        rollout = draft.rollout(stage.name)
        if stage.state in (StageState.PENDING, StageState.GATE):
            draft.update_stage(
                stage.name, state=StageState.CANCELLED, because=f"cancelled by {who}", ended_at=draft.now
            )
        elif stage.state is StageState.WORKING and rollout and rollout.state.owns_placement:
            ask_rollback(draft, rollout, Cause(f"cancelled by {who}", for_cause=False))
            quiet = False
        elif stage.state is StageState.WORKING:
            draft.update_stage(
                stage.name, state=StageState.CANCELLED, because=f"cancelled by {who}", ended_at=draft.now
            )
    if quiet:
        _end(draft, RunStatus.CANCELLED, (Reason("cancel", f"cancelled by {who}"),))


def _look_back(draft: RunDraft) -> None:
    """A run that had succeeded is rolled back when the watch after it found harm."""
    if draft.run.status is not RunStatus.SUCCEEDED:
        return
    for stage in list(draft.stages.values()):
        rollout = draft.rollout(stage.name)
        if rollout and rollout.state is RolloutState.ROLLED_BACK and stage.state is StageState.PASSED:
            because = rollout.cause.text if rollout.cause else "rolled back"
            draft.update_stage(stage.name, state=StageState.ROLLED_BACK, because=because)
            _end(draft, RunStatus.ROLLED_BACK, (Reason("watch", f"{stage.name}: {because}"),))
