"""What is asked about tests, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.flaky import TestId, TestOutcome
from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import StepOutcome, StepReport, TestReport
from tidegate.model.pipeline import Step
from tidegate.model.quarantine import TestQuarantine
from tidegate.model.step_run import BUILD, StepRun, StepState
from tidegate.store import outcome_queries, rows
from tidegate.store.database import Database

from .values import ALICE, NOW, SHOP, a_run

UNIT = StepName("unit")
MINUTE = timedelta(minutes=1)
HELD = TestQuarantine(SHOP, "größer", "Ada", NOW + MINUTE, "slow", ALICE, NOW)


def outcome(number: int, test: str, failed: bool, content: str = "x", service: str = SHOP) -> TestOutcome:
    """The number-th attempt, a minute after the one before."""
    step_run, at = StepRunId(f"step{number:03}"), NOW + number * MINUTE
    own = (ServiceName(service), BUILD, UNIT, content, RunId(f"run{number:03}"), at)
    return TestOutcome(step_run, 1, test, *own, failed)


def put(database: Database, *values: object) -> None:
    with database.writing() as connection:
        for one in values:
            rows.put(connection, one)


def test_outcomes_and_quarantines_come_back_equal(database: Database) -> None:
    put(database, HELD, HELD, outcome(1, "a", True), outcome(1, "a", True))
    with database.reading() as connection:
        assert outcome_queries.quarantines(connection) == (HELD,)
        assert outcome_queries.quarantine(connection, SHOP, "größer") == HELD
        assert rows.every(connection, TestOutcome) == (outcome(1, "a", True),)


def test_known_are_tests_that_differ_on_one_content_and_those_in_quarantine(database: Database) -> None:
    put(database, HELD, outcome(1, "größer", True))
    put(database, outcome(1, "flaky", True), outcome(2, "flaky", False), outcome(3, "flaky", False, "y"))
    put(database, outcome(1, "repaired", True), outcome(2, "repaired", False, "y"))
    put(database, outcome(1, "others", True, service="site"), outcome(2, "others", False, service="site"))
    with database.reading() as connection:
        found = outcome_queries.known_tests(connection, SHOP)
        assert [(one.test, one.is_flaky, one.quarantine) for one in found] == [
            ("flaky", True, None),
            ("größer", False, HELD),
        ]
        assert found[0].history is not None
        assert (found[0].history.failed, found[0].history.total) == (1, 3)
        assert [one.test for one in outcome_queries.known_tests(connection)] == ["flaky", "größer", "others"]
        assert [one.test for one in outcome_queries.known_tests(connection, SHOP, {"größer", "z"})] == ["größer"]
        assert outcome_queries.known_tests(connection, SHOP, ()) == ()


def test_tests_that_failed_come_newest_first_and_outcomes_by_their_test(database: Database) -> None:
    put(database, outcome(1, "a", True), outcome(2, "b", True), outcome(3, "a", False), outcome(4, "c", False))
    put(database, outcome(5, "a", True, "y"), outcome(6, "d", True, service="site"))
    with database.reading() as connection:
        assert outcome_queries.tests_that_failed(connection, SHOP, BUILD, UNIT, 10) == ("a", "b")
        assert outcome_queries.tests_that_failed(connection, SHOP, BUILD, UNIT, 1) == ("a",)
        of_b = outcome_queries.outcomes_of_tests(connection, {TestId(SHOP, BUILD, UNIT, "b")})
        assert of_b == (outcome(2, "b", True),)
        assert outcome_queries.outcomes_of_tests(connection, ()) == ()


def test_what_is_old_or_too_much_is_forgotten_step_by_step(database: Database) -> None:
    put(database, *(outcome(number, "a", True) for number in range(6)), outcome(9, "a", True, service="site"))
    with database.writing() as connection:
        outcome_queries.forget_beyond(connection, 6)
        assert len(rows.every(connection, TestOutcome)) == 7
        outcome_queries.forget_beyond(connection, 2)
        left = [(one.service, one.step_run) for one in rows.every(connection, TestOutcome)]
        assert left == [(SHOP, "step004"), (SHOP, "step005"), ("site", "step009")]
        outcome_queries.forget_before(connection, NOW + 5 * MINUTE)
        assert [one.step_run for one in rows.every(connection, TestOutcome)] == ["step005", "step009"]


def test_a_quarantine_is_newly_expired_until_that_was_told(database: Database) -> None:
    put(database, HELD)
    with database.writing() as connection:
        assert outcome_queries.newly_expired(connection, NOW) == ()
        assert outcome_queries.newly_expired(connection, HELD.until) == (HELD,)
        outcome_queries.note_expiry_told(connection, HELD)
        assert outcome_queries.newly_expired(connection, HELD.until) == ()
        outcome_queries.forget_expired(connection, HELD.until)
        assert outcome_queries.quarantines(connection) == (replace(HELD, expiry_told=True),)
        outcome_queries.forget_expired(connection, HELD.until + MINUTE)
        assert outcome_queries.quarantines(connection) == ()


def settled(number: int, tests: TestReport | None, state: StepState = StepState.FAILED, name: str = "unit") -> StepRun:
    """The step of the number-th run."""
    report = StepReport(StepOutcome.FAILED, 1, "", NOW, NOW, tests=tests)
    step = Step(StepName(name), "make")
    run = a_run(number).id
    return StepRun(StepRunId(f"{name}{number}"), run, BUILD, step.name, 0, step, state, report=report)


def test_the_last_report_of_a_step_is_that_of_the_newest_other_run_that_has_one(database: Database) -> None:
    first, second = TestReport(3, 1, 0, ("a",)), TestReport(3, 1, 0, ("b",))
    put(database, *(a_run(number) for number in range(1, 6)))
    put(database, settled(1, first), settled(2, second), settled(3, None), settled(4, first, StepState.LOST))
    put(database, settled(4, first, name="other"))
    asking = settled(5, None, StepState.RUNNING)
    with database.reading() as connection:
        assert outcome_queries.last_tests(connection, SHOP, asking) == second
        assert outcome_queries.last_tests(connection, SHOP, settled(2, None)) == first
        assert outcome_queries.last_tests(connection, ServiceName("site"), asking) is None
