"""A stage's checks: scripts that run again and again while its deployment is verified, and its load check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.load import LoadReport, LoadRule, judge_load
from tidegate.model.step_progress import reset_step
from tidegate.model.step_run import STATE_OF, StepRun, StepState
from tidegate.model.verdict import Verdict

KEPT_REPORTS = 20
"""Of so many earlier rounds of a check the reports are kept."""

AGAIN_AFTER = timedelta(minutes=1)
"""A load check that could not be made is tried again after this."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How the checks of a stage stand: the steps as they should stand now, and what they say together.

    `harm` says what failed; `passed` that the latest round of each check that says something went well; `lacks` why one
    says nothing. `again_at` is when the next round begins.
    """

    steps: tuple[StepRun, ...] = ()
    passed: bool = True
    harm: str | None = None
    lacks: str | None = None
    again_at: datetime | None = None


def look_at_checks(steps: Sequence[StepRun], since: datetime, now: datetime) -> Checked:
    """Begin what is due, and say what the rounds since then came to: what became ready before is of another time."""
    fresh = tuple(step for step in steps if _is_fresh(step, since))
    advanced = tuple(_next_round(step, since, now) for step in steps)
    return Checked(
        steps=advanced,
        passed=len(fresh) == len(steps) and all(_passed(step) for step in fresh),
        harm=next((harm for step in fresh if (harm := _harm(step))), None),
        lacks=next((lacks for step in fresh if (lacks := _lacks(step))), None),
        again_at=min((at for step in advanced if (at := _due_at(step))), default=None),
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a stage's load check stands: `report` where it says something, `lacks` why it does not."""

    step: StepRun
    report: LoadReport | None = None
    lacks: str | None = None
    again_at: datetime | None = None


def look_at_load(step: StepRun, rule: LoadRule, since: datetime, now: datetime) -> Loaded:
    """Begin the load check, or say what the one that was ready since then came to; made again, it still lacks."""
    if step.state is StepState.CANCELLED:
        return Loaded(step)
    is_over = step.state.is_ended or step.state is StepState.WAITING
    if is_over and not _is_fresh(step, since):
        return Loaded(_ready(step, now))
    said = step.reports[-1] if step.reports and _is_fresh(step, since) else None
    if said is None:
        return Loaded(step)
    result = judge_load(rule, said.load) if said.load else None
    if said.load and result and result.verdict is not Verdict.NO_DATA and is_over:
        return Loaded(step, replace(said.load, began_at=step.began_at or since, ended_at=now))
    lacks = f"{step.name}: {result.reason if result else _why_nothing(said)}"
    if not is_over:
        return Loaded(step, None, lacks)
    again_at = (step.began_at or step.ready_at or now) + AGAIN_AFTER
    if now < again_at:
        return Loaded(step, None, lacks, again_at)
    return Loaded(_ready(step, now, step.reports), None, lacks)


def _why_nothing(said: StepReport) -> str:
    if said.outcome is StepOutcome.SUCCEEDED:
        return "its agent is of an earlier version, which makes none; upgrade it"
    return said.detail or STATE_OF[said.outcome].words


def _is_fresh(step: StepRun, since: datetime) -> bool:
    return step.ready_at is not None and step.ready_at >= since


def _ready(step: StepRun, now: datetime, earlier: Sequence[StepReport] = ()) -> StepRun:
    anew = step if step.state is StepState.WAITING else reset_step(step)
    return replace(anew, state=StepState.READY, ready_at=now, earlier=tuple(earlier[-KEPT_REPORTS:]))


def _next_round(step: StepRun, since: datetime, now: datetime) -> StepRun:
    if step.state is StepState.CANCELLED or not (step.state.is_ended or step.state is StepState.WAITING):
        return step
    if not _is_fresh(step, since):
        return _ready(step, now)
    due_at = _due_at(step)
    return _ready(step, now, step.reports) if due_at and due_at <= now else step


def _due_at(step: StepRun) -> datetime | None:
    """When the round after one that has ended begins."""
    began_at = step.began_at or step.ready_at
    if step.step.repeat is None or not step.state.is_ended or step.state is StepState.CANCELLED or began_at is None:
        return None
    return began_at + step.step.repeat.every


def _answers(step: StepRun) -> Iterator[StepReport]:
    """What its rounds said, the latest first."""
    return (one for one in reversed(step.reports) if one.is_answer)


def _passed(step: StepRun) -> bool:
    latest = next(_answers(step), None)
    return latest is not None and latest.outcome is StepOutcome.SUCCEEDED


def _harm(step: StepRun) -> str | None:
    assert step.step.repeat is not None
    failed: list[StepReport] = []
    for one in _answers(step):
        if one.outcome is StepOutcome.SUCCEEDED:
            break
        failed.append(one)
    if len(failed) < step.step.repeat.failures:
        return None
    times = f" {len(failed)} times in a row" if len(failed) > 1 else ""
    return f"the check {step.name} failed{times}: {failed[0].detail or STATE_OF[failed[0].outcome].words}"


def _lacks(step: StepRun) -> str | None:
    """Why the latest round said nothing, until one does."""
    latest = step.reports[-1] if step.reports else None
    if latest is None or latest.is_answer:
        return None
    return f"the check {step.name} could not run: {latest.detail or STATE_OF[latest.outcome].words}"
