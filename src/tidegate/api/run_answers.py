"""Runs as the API tells them."""

from __future__ import annotations

from datetime import datetime

from tidegate.api.answers import ActorAnswer, Answer, NextAnswer, ReasonAnswer
from tidegate.api.brought_answers import BroughtAnswer, brought_answers
from tidegate.api.rollout_answers import RolloutAnswer, rollout_answer
from tidegate.model.approval import Answer as Word
from tidegate.model.approval import Seen
from tidegate.model.gate import GateState
from tidegate.model.known_test import KnownTest
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.next_acts import next_acts
from tidegate.model.run import Run, RunStatus, StageState, Trigger
from tidegate.model.step_run import StepRun, StepState
from tidegate.store.run_queries import RunRecord


class RunItem(Answer):
    """A run in a list; `because` says why it stands as it does."""

    id: str
    service: str
    release: str | None
    commit: str
    trigger: Trigger
    status: RunStatus
    subject: str
    author: str
    actor: ActorAnswer
    created_at: datetime
    ended_at: datetime | None
    held_by: str | None
    cancel_asked_by: str | None
    because: tuple[ReasonAnswer, ...]


class RunPage(Answer):
    """Runs, the newest first; `next` is what `before` wants for the page after, null at the end."""

    items: list[RunItem]
    next: str | None


class GateAnswer(Answer):
    """What a gate decided: every rule that was looked at, and of them those that keep it from opening."""

    state: GateState
    because: tuple[ReasonAnswer, ...]
    blocking: tuple[ReasonAnswer, ...]
    opened_by: str
    look_again_at: datetime | None


class StageAnswer(Answer):
    """A stage of a run; `opened_by` says who or what opened its gate, and why."""

    name: str
    environment: str
    state: StageState
    attempt: int
    gate: GateAnswer | None
    opened_by: str
    rollout: str | None
    began_at: datetime | None
    ended_at: datetime | None
    because: str


class AttemptAnswer(Answer):
    """How an attempt of a step ended."""

    outcome: StepOutcome
    exit_code: int | None
    detail: str
    seconds: float


class FailedTestAnswer(Answer):
    """A test that failed; `flaky` says that it failed and passed on one content, `quarantined_until` that its failing
    counts for nothing until then."""

    test: str
    flaky: bool
    quarantined_until: datetime | None


class TestsAnswer(Answer):
    """What the step's JUnit report said; at most 200 tests that failed are named."""

    __test__ = False
    total: int
    failed: int
    skipped: int
    failures: list[FailedTestAnswer]


class StepAnswer(Answer):
    """A step of a run: `scope` is `build` or its stage; `seconds` go on counting while it runs."""

    id: str
    scope: str
    name: str
    state: StepState
    attempt: int
    agent: str | None
    ready_at: datetime | None
    began_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    exit_code: int | None
    detail: str
    cached_from: str | None
    """The run from which its result was taken."""

    image: str | None
    """The digest of the image that it ran in."""

    tests: TestsAnswer | None
    earlier: list[AttemptAnswer]


class ApprovalAnswer(Answer):
    """A person's yes or no; `point` 0 is the stage's gate, others the rollout's steps."""

    id: str
    run: str
    stage: str
    release: str
    point: int
    answer: Word
    actor: ActorAnswer
    at: datetime
    comment: str
    stands_for: tuple[str, ...]
    looked_at: tuple[Seen, ...]
    """What of the evidence the person had looked at before."""

    does_not_count: str | None = None
    """In the answer to a yes: why it counts for no rule of that gate, in words that follow the person's name."""


class RunDetail(RunItem):
    """A run with all that belongs to it; `next` is what ends its waiting, and `brings` lists for each environment the
    changes that its release brings there, the newest first."""

    stages: list[StageAnswer]
    steps: list[StepAnswer]
    rollouts: list[RolloutAnswer]
    approvals: list[ApprovalAnswer]
    next: list[NextAnswer]
    brings: dict[str, list[BroughtAnswer]]


def run_item(run: Run) -> RunItem:
    """The run as a list shows it."""
    return RunItem.model_validate(_fields(run))


def run_detail(record: RunRecord, now: datetime) -> RunDetail:
    """The run with all that belongs to it."""
    acts = next_acts(record.run, record.service, record.stages, record.rollouts)
    return RunDetail.model_validate(
        {
            **_fields(record.run),
            "stages": [StageAnswer.model_validate(one) for one in record.stages],
            "steps": [_step(record, one, now) for one in record.steps],
            "rollouts": [rollout_answer(one) for one in record.rollouts],
            "approvals": [ApprovalAnswer.model_validate(one) for one in record.approvals],
            "next": [NextAnswer.model_validate(one) for one in acts],
            "brings": brought_answers(record.brings),
        }
    )


def _fields(run: Run) -> dict[str, object]:
    own = {name: getattr(run, name) for name in RunItem.model_fields if hasattr(run, name)}
    change = run.change
    return {**own, "commit": change.commit, "subject": change.subject, "author": change.author_name}


def _step(record: RunRecord, step: StepRun, now: datetime) -> StepAnswer:
    seconds = None
    if step.began_at:
        seconds = ((step.ended_at or now) - step.began_at).total_seconds()
    return StepAnswer(
        id=step.id,
        scope=step.scope,
        name=step.name,
        state=step.state,
        attempt=step.attempt,
        agent=step.agent,
        ready_at=step.ready_at,
        began_at=step.began_at,
        ended_at=step.ended_at,
        seconds=seconds,
        exit_code=step.report.exit_code if step.report else None,
        detail=step.report.detail if step.report else "",
        cached_from=step.cached_from.run if step.cached_from else None,
        image=step.report.image if step.report else None,
        tests=_tests(record, step, now),
        earlier=[_attempt(one) for one in step.earlier],
    )


def _tests(record: RunRecord, step: StepRun, now: datetime) -> TestsAnswer | None:
    tests = step.report.tests if step.report else None
    if tests is None:
        return None
    known = {one.test: one for one in record.known_tests if one.is_of(step.scope, step.name)}
    return TestsAnswer(
        total=tests.total,
        failed=tests.failed,
        skipped=tests.skipped,
        failures=[_failed_test(test, known.get(test), now) for test in tests.failures],
    )


def _failed_test(test: str, known: KnownTest | None, now: datetime) -> FailedTestAnswer:
    held = known.quarantine if known and not known.is_expired(now) else None
    return FailedTestAnswer(
        test=test, flaky=known is not None and known.is_flaky, quarantined_until=held.until if held else None
    )


def _attempt(report: StepReport) -> AttemptAnswer:
    return AttemptAnswer(
        outcome=report.outcome,
        exit_code=report.exit_code,
        detail=report.detail,
        seconds=(report.ended_at - report.began_at).total_seconds(),
    )
