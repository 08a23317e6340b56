"""Which step is ready, which is tried again, and which never runs: the progress of one scope's steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum

from tidegate.model.ids import StepName
from tidegate.model.pipeline import RetryCause
from tidegate.model.step_run import StepRun, StepState

_CAUSES = {
    StepState.LOST: RetryCause.LOST,
    StepState.TIMED_OUT: RetryCause.TIMEOUT,
    StepState.FAILED: RetryCause.FAILED,
}


class Outcome(Enum):
    """How a scope's steps stand together."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def advance_steps(steps: Sequence[StepRun], now: datetime, *, cancel: bool = False) -> tuple[StepRun, ...]:
    """The steps as they should stand now: ready, tried again, skipped or asked to stop.

    `steps` are those of one scope in the order of the file; the result has the same length and order.
    """
    advanced = [_cancel(step, now) if cancel else _retry(step) for step in steps]
    for _ in advanced:
        states = {step.name: step.state for step in advanced}
        advanced = [_follow(step, states, now) for step in advanced]
    return tuple(advanced)


def outcome_of(steps: Sequence[StepRun]) -> Outcome:
    """SUCCEEDED when all are; FAILED when one failed for good and none runs any more; else OPEN."""
    if all(step.state is StepState.SUCCEEDED for step in steps):
        return Outcome.SUCCEEDED
    if all(step.state.is_ended for step in steps):
        return Outcome.FAILED
    return Outcome.OPEN


def first_failure(steps: Sequence[StepRun]) -> StepRun | None:
    """The step that ended badly first; skipped ones only follow others."""
    bad = [step for step in steps if step.state.is_ended and step.state not in (StepState.SUCCEEDED, StepState.SKIPPED)]
    return min(bad, key=lambda step: (step.ended_at is None, step.ended_at, step.position), default=None)


def reset_step(step: StepRun) -> StepRun:
    """A new attempt of an ended step, with the reports of earlier ones kept."""
    earlier = (*step.earlier, step.report) if step.report else step.earlier
    return replace(
        step,
        state=StepState.WAITING,
        attempt=step.attempt + 1,
        agent=None,
        leased_until=None,
        cancel_asked=False,
        ready_at=None,
        began_at=None,
        ended_at=None,
        report=None,
        earlier=earlier,
    )


def _retry(step: StepRun) -> StepRun:
    cause = _CAUSES.get(step.state)
    retry = step.step.retry
    if cause in retry.causes and step.attempt < retry.attempts:
        return reset_step(step)
    return step


def _cancel(step: StepRun, now: datetime) -> StepRun:
    if step.state in (StepState.WAITING, StepState.READY):
        return replace(step, state=StepState.CANCELLED, ended_at=now)
    if step.state is StepState.RUNNING:
        return replace(step, cancel_asked=True)
    return step


def _follow(step: StepRun, states: Mapping[StepName, StepState], now: datetime) -> StepRun:
    if step.state is not StepState.WAITING:
        return step
    needed = [states[name] for name in step.step.needs]
    if all(state is StepState.SUCCEEDED for state in needed):
        return replace(step, state=StepState.READY, ready_at=now)
    if any(state.is_ended and state is not StepState.SUCCEEDED for state in needed):
        return replace(step, state=StepState.SKIPPED, ended_at=now)
    return step
