"""What a run tells a stage's rollout: that the stage's steps and checks speak for it, or against it."""

from __future__ import annotations

from dataclasses import asdict, replace

from tidegate.model.event import EventKind
from tidegate.model.ids import StageName
from tidegate.model.load import LoadReport, judge_load
from tidegate.model.rollout import Cause, Rollout
from tidegate.model.run_draft import RunDraft
from tidegate.model.stage_checks import look_at_checks, look_at_load
from tidegate.model.step_run import StepRun
from tidegate.model.verdict import Verdict


def ask_rollback(draft: RunDraft, rollout: Rollout, cause: Cause) -> None:
    """Ask the rollout's placement to go back; the first cause counts."""
    if rollout.rollback_asked is None and not rollout.state.is_ended:
        draft.others[rollout.id] = _asked(rollout, cause)


def _asked(rollout: Rollout, cause: Cause) -> Rollout:
    """Where it is held at its placement's floor, that was asked already."""
    return rollout if rollout.held_at_floor else replace(rollout, rollback_asked=rollout.rollback_asked or cause)


def prove(draft: RunDraft, name: StageName, rollout: Rollout, steps_passed: bool) -> Rollout:
    """Look at the checks of a deployment that has all of the traffic, and tell its rollout what they say."""
    checks = [one for one in draft.scope(name) if one.step.repeat]
    checked = look_at_checks(checks, rollout.step_since or rollout.began_at, draft.now)
    draft.save_steps(checked.steps)
    if checked.again_at:
        draft.wakes.append(checked.again_at)
    proven = rollout.needs_steps and steps_passed and checked.passed
    told = replace(rollout, steps_passed=proven, lacks=checked.lacks)
    load = next((one for one in draft.scope(name) if one.step.load), None)
    if load and rollout.load_due_at and rollout.load is None:
        told = _load(draft, told, load)
    if checked.harm:
        told = _asked(told, Cause(f"verification failed: {checked.harm}", for_cause=True))
    if told != rollout:
        draft.others[told.id] = told
    return told


def _load(draft: RunDraft, rollout: Rollout, step: StepRun) -> Rollout:
    rule = step.step.load
    assert rule is not None and rollout.load_due_at is not None
    environment = draft.state.sites[StageName(step.scope)].environment
    if environment.protected and not rule.protected:
        return replace(rollout, lacks=f"{step.name}: {environment.name} is protected by now, and the file says nothing")
    loaded = look_at_load(step, rule, rollout.load_due_at, draft.now)
    draft.save_steps((loaded.step,))
    if loaded.again_at:
        draft.wakes.append(loaded.again_at)
    if loaded.report is None:
        return replace(rollout, lacks=rollout.lacks or loaded.lacks)
    told = replace(rollout, load=loaded.report, lacks=None)
    _say(draft, step, loaded.report)
    result = judge_load(rule, loaded.report)
    if result.verdict is Verdict.FAIL:
        return _asked(told, Cause(f"verification failed: the service {result.reason}", for_cause=True))
    return told


def _say(draft: RunDraft, step: StepRun, report: LoadReport) -> None:
    assert step.step.load is not None
    result = judge_load(step.step.load, report)
    draft.say(
        EventKind.LOAD_CHECKED,
        f"{step.scope}: the service {result.reason}",
        stage=step.scope,
        step=step.name,
        verdict=result.verdict.value,
        asked=result.asked,
        capacity=result.capacity,
        multiple=result.multiple,
        knee=result.knee,
        busiest=report.busiest,
        steps=[asdict(one) for one in report.steps],
    )
