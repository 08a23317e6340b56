"""Which step is ready, which is tried again, and which never runs: the progress of one scope's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from tidegate.model.condition import ConditionFailed
from tidegate.model.ids import StepName, StepRunId
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import RetryCause
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_run import StepRun, StepState

_CAUSES = {
    StepState.LOST: RetryCause.LOST,
    StepState.TIMED_OUT: RetryCause.TIMEOUT,
    StepState.FAILED: RetryCause.FAILED,
}
_MAY_BE_RETRIED = tuple(_CAUSES)
"""All steps are asked whenever one has ended: to compare the states of most is faster than to look them up."""


NOTHING_CACHED: Mapping[StepRunId, CachedResult | None] = MappingProxyType({})


class Outcome(Enum):
    """How a scope's steps stand together."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def advance_steps(
    steps: Sequence[StepRun],
    now: datetime,
    *,
    cancel: bool = False,
    cached: Mapping[StepRunId, CachedResult | None] = NOTHING_CACHED,
    is_wanted: Callable[[StepRun, Iterable[StepRun]], bool] = lambda _step, _needed: True,
) -> tuple[StepRun, ...]:
    """The steps as they should stand now: ready, tried again, taken from the cache, left out, skipped or asked to stop.

    `steps` are those of one scope in the order of the file; the result has the same length and order. `cached` says
    for each step whose key is known what the cache has of it; a step with inputs waits until that was looked up.
    `is_wanted` is asked of a step and those that it needs, once they are settled.
    """
    advanced = [_cancel(step, now) if cancel else _retry(step) for step in steps]
    for _ in advanced:
        by_name = {step.name: step for step in advanced}
        following = [_follow(step, by_name, now, cached, is_wanted) for step in advanced]
        changed = [new for new, old in zip(following, advanced, strict=True) if new is not old]
        advanced = following
        # one that is ready lets no other go on
        if not any(step.state.is_ended for step in changed):
            break
    return tuple(advanced)


def outcome_of(steps: Sequence[StepRun]) -> Outcome:
    """SUCCEEDED when all are settled; FAILED when one failed for good and none runs any more; else OPEN."""
    if all(step.is_settled for step in steps):
        return Outcome.SUCCEEDED
    if all(step.state.is_ended for step in steps):
        return Outcome.FAILED
    return Outcome.OPEN


def first_failure(steps: Sequence[StepRun]) -> StepRun | None:
    """The step that ended badly first; skipped ones only follow others."""
    bad = [
        step for step in steps if step.state.is_ended and not step.is_settled and step.state is not StepState.SKIPPED
    ]
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
        key=None,
        cached_from=None,
    )


def _retry(step: StepRun) -> StepRun:
    if step.state not in _MAY_BE_RETRIED:
        return step
    retry = step.step.retry
    if _CAUSES[step.state] in retry.causes and step.attempt < retry.attempts:
        return reset_step(step)
    return step


def _cancel(step: StepRun, now: datetime) -> StepRun:
    if step.state in (StepState.WAITING, StepState.READY):
        return replace(step, state=StepState.CANCELLED, ended_at=now)
    if step.state is StepState.RUNNING:
        return replace(step, cancel_asked=True)
    return step


def _follow(
    step: StepRun,
    by_name: Mapping[StepName, StepRun],
    now: datetime,
    cached: Mapping[StepRunId, CachedResult | None],
    is_wanted: Callable[[StepRun, Iterable[StepRun]], bool],
) -> StepRun:
    if step.state is not StepState.WAITING:
        return step
    needed = [by_name[name] for name in step.step.needs]
    if any(one.state.is_ended and not one.is_settled for one in needed):
        return replace(step, state=StepState.SKIPPED, ended_at=now)
    if not all(one.is_settled for one in needed):
        return step
    try:
        if not is_wanted(step, needed):
            return replace(step, state=StepState.LEFT_OUT, ended_at=now)
    except ConditionFailed as error:
        return _fail(step, f"its `if` has no answer: {error}", now)
    if step.missing_input is not None:
        return _fail(step, step.missing_input, now)
    if step.files is None:
        return replace(step, state=StepState.READY, ready_at=now)
    if step.id not in cached:
        return step
    found = cached[step.id]
    if found is None:
        return replace(step, state=StepState.READY, ready_at=now)
    return replace(
        step,
        state=StepState.SUCCEEDED,
        ready_at=now,
        began_at=now,
        ended_at=now,
        report=found.report,
        cached_from=found.source,
    )


def _fail(step: StepRun, why: str, now: datetime) -> StepRun:
    """A step that failed without having begun."""
    report = StepReport(StepOutcome.FAILED, None, why, now, now)
    return replace(step, state=StepState.FAILED, report=report, ended_at=now)
