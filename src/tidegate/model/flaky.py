"""Flaky tests: those that failed and passed on one and the same content."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import MOST_FAILURES, StepReport
from tidegate.model.run import Run
from tidegate.model.step_run import StepRun

KEPT_FOR = timedelta(days=30)
"""So long it is remembered how tests ended; a test without differing results in this time is not flaky any more."""

KEPT_A_STEP = 5000
"""Of a step of a service so many outcomes of tests are remembered, the newest."""

WATCHED = 200
"""Of so many tests of a step that have failed, those that did last, it is noted when they pass."""


@dataclass(frozen=True, slots=True)
class TestId:
    """A test of a step of a service; `scope` is `build`, or the step's stage."""

    __test__ = False
    service: ServiceName
    scope: str
    step: StepName
    test: str


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """How a test that is known to have failed ended in one attempt of its step.

    `content` names all that the result depends on: where it is the same and the result another, the test is flaky.
    """

    __test__ = False
    step_run: StepRunId
    attempt: int
    test: str
    service: ServiceName
    scope: str
    step: StepName
    content: str
    run: RunId
    at: datetime
    failed: bool

    @property
    def id(self) -> TestId:
        """Which test it is."""
        return TestId(self.service, self.scope, self.step, self.test)


@dataclass(frozen=True, slots=True)
class TestHistory:
    """What is remembered of a test that failed at least once: how often, of how many attempts in which it ran."""

    __test__ = False
    id: TestId
    failed: int
    total: int
    first_failed_at: datetime
    last_failed_at: datetime
    last_run: RunId
    """In which it failed last."""

    is_flaky: bool


def histories_of(outcomes: Iterable[TestOutcome]) -> tuple[TestHistory, ...]:
    """What is remembered of each test that failed, by service, step and name; outcomes may come in any order."""
    by_test: dict[TestId, list[TestOutcome]] = defaultdict(list)
    for one in outcomes:
        by_test[one.id].append(one)
    found = (_history(test, of_test) for test, of_test in by_test.items() if any(one.failed for one in of_test))
    return tuple(sorted(found, key=lambda one: (one.id.service, one.id.scope, one.id.step, one.id.test)))


def newly_flaky(before: Sequence[TestOutcome], new: Sequence[TestOutcome]) -> tuple[TestHistory, ...]:
    """The tests that the new outcomes show to be flaky, and those before them did not."""
    known = {one.id for one in histories_of(before) if one.is_flaky}
    return tuple(one for one in histories_of((*before, *new)) if one.is_flaky and one.id not in known)


def outcomes_of(run: Run, step: StepRun, report: StepReport, watched: Iterable[str]) -> tuple[TestOutcome, ...]:
    """What the report of an attempt says of tests: of those that failed, and of the watched ones that passed.

    A test that failed for the first time was not watched before: that it passed in an earlier attempt is told by the
    report of that one, where it is of the same tests.
    """
    tests = report.tests
    if tests is None:
        return ()
    failed = tuple(dict.fromkeys(tests.failures))[:MOST_FAILURES]  # an agent could name more
    passed = sorted(set(tests.passed) & set(watched) - set(failed))

    def outcomes(attempt: int, of: StepReport, named: Iterable[str], has_failed: bool) -> Iterator[TestOutcome]:
        content = content_of(run, step, of.image)
        own = (run.service, step.scope, step.name, content, run.id, of.ended_at, has_failed)
        return (TestOutcome(step.id, attempt, test, *own) for test in named)

    found = [*outcomes(step.attempt, report, failed, True), *outcomes(step.attempt, report, passed, False)]
    for attempt, earlier in enumerate(step.earlier, 1):
        before = earlier.tests
        if before is not None:
            found += outcomes(attempt, earlier, [test for test in failed if before.shows_pass(test, tests)], False)
    return tuple(found)


def content_of(run: Run, step: StepRun, image: str | None) -> str:
    """What the step's result depends on, as one digest: its key, or without inputs the whole commit and how it runs.

    `image` is the digest of the image that it ran in.
    """
    if step.key is not None:
        return step.key
    own = step.step
    parts = [run.change.commit, step.scope, step.name, own.run, own.working_directory, image, dict(own.env)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _history(test: TestId, outcomes: Sequence[TestOutcome]) -> TestHistory:
    failed = sorted((one for one in outcomes if one.failed), key=lambda one: (one.at, one.step_run, one.attempt))
    passed_on = {one.content for one in outcomes if not one.failed}
    return TestHistory(
        id=test,
        failed=len(failed),
        total=len(outcomes),
        first_failed_at=failed[0].at,
        last_failed_at=failed[-1].at,
        last_run=failed[-1].run,
        is_flaky=any(one.content in passed_on for one in failed),
    )
