"""What the server knows of the tests of a step: it hands some of it to the agent, and learns from the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from tidegate.model.event import Event, EventKind
from tidegate.model.flaky import WATCHED, TestHistory, newly_flaky, outcomes_of
from tidegate.model.lease import StepReport, TestReport
from tidegate.model.quarantine import with_quarantine
from tidegate.model.run import Run
from tidegate.model.step_run import StepRun
from tidegate.store import outcome_queries, rows

FIRST_AT_MOST = 100
"""With so many failed tests a step begins: with more, all of them may as well be run."""


@dataclass(frozen=True, slots=True)
class HandedTests:
    """The names of tests that an agent gets with a step: with which to begin, which to watch, which are excused."""

    failed: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()


def handed_with(connection: Connection, run: Run, step: StepRun, now: datetime) -> HandedTests:
    """What an agent gets that performs the step now."""
    if step.step.junit is None:
        return HandedTests()
    held = tuple(one.test for one in outcome_queries.quarantines(connection, run.service) if one.holds(now))
    failed: tuple[str, ...] = ()
    if step.step.failed_first is not None:
        last = _last_tests(connection, run, step)
        failed = tuple(dict.fromkeys(one for one in last.failures if one not in held)) if last else ()
    makes = step.step.outputs or step.step.artifacts
    return HandedTests(failed[:FIRST_AT_MOST], _watched(connection, run, step), held if makes else ())


def as_it_counts(connection: Connection, run: Run, step: StepRun, report: StepReport, now: datetime) -> StepReport:
    """The report of an attempt, where the quarantine of tests is looked at."""
    if report.tests is None or not report.tests.failures:
        return report
    return with_quarantine(report, step.step, outcome_queries.quarantines(connection, run.service), now)


def note(connection: Connection, run: Run, step: StepRun, report: StepReport) -> tuple[Event, ...]:
    """Remember how tests ended; what there is to say of those that are flaky, as is known only now."""
    if report.tests is None:
        return ()
    new = outcomes_of(run, step, report, _watched(connection, run, step))
    before = outcome_queries.outcomes_of_tests(connection, {one.id for one in new})
    for one in new:
        rows.put(connection, one)
    return tuple(_events(newly_flaky(before, new), run))


def _watched(connection: Connection, run: Run, step: StepRun) -> tuple[str, ...]:
    return outcome_queries.tests_that_failed(connection, run.service, step.scope, step.name, WATCHED)


def _last_tests(connection: Connection, run: Run, step: StepRun) -> TestReport | None:
    """What the step's own last attempt said of its tests, else that of the last run in which it was settled."""
    own = next((one.tests for one in reversed(step.earlier) if one.tests), None)
    return own or outcome_queries.last_tests(connection, run.service, step)


def _events(found: tuple[TestHistory, ...], run: Run) -> Iterator[Event]:
    for one in found:
        test = one.id
        about = {"service": str(test.service), "run": str(run.id), "scope": test.scope, "step": str(test.step)}
        text = (
            f"{test.scope}: {test.step}: {test.test} is flaky: on the same content it failed and passed "
            f"({one.failed} of {one.total} times it failed)"
        )
        yield Event(EventKind.TEST_FLAKY, text, about, data={"test": test.test, "failed": one.failed})
