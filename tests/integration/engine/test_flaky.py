"""Flaky tests and their quarantine, as agents report them and people act on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, SHOP, Shop, holds, report

from tidegate.engine.quarantines import QuarantineActs
from tidegate.engine.refusal import Refusal
from tidegate.model.flaky import KEPT_FOR
from tidegate.model.ids import Digest
from tidegate.model.known_test import KnownTest
from tidegate.model.lease import BuiltFile, Lease, StepOutcome, StepReport, TestReport
from tidegate.model.step_run import StepState
from tidegate.store import outcome_queries, queries

DAY = timedelta(days=1)
CART, PRICES = "tests/test_cart.py::test_total", "tests/test_prices.py::test_sum"
RETRIED = """\
service: shop
build:
  steps:
    - name: unit tests
      run: make test
      reports: {junit: unit.xml}
      retry: {attempts: 3, causes: [failed]}
"""
ONCE = RETRIED.replace("      retry: {attempts: 3, causes: [failed]}\n", "")
CACHED = ONCE + '      inputs: ["**"]\n'
FIRST = ONCE + "      failed_first: make again\n"


def ended(shop: Shop, *failing: str, passed: tuple[str, ...] = ()) -> StepReport:
    """What an agent reports of ten tests of which these failed."""
    outcome = StepOutcome.FAILED if failing else StepOutcome.SUCCEEDED
    tests = TestReport(10, len(failing), 0, failing, passed)
    return replace(report(shop.clock.now(), outcome), exit_code=1 if failing else 0, detail="", tests=tests)


def performs(shop: Shop, *failing: str, **more: object) -> Lease:
    """An agent performs the step that is ready; of the watched tests those that did not fail passed."""
    (lease,) = shop.leased()
    said = ended(shop, *failing, passed=tuple(one for one in lease.watched_tests if one not in failing))
    assert shop.leasing.report(holds(lease), replace(said, **more))  # type: ignore[arg-type]
    shop.clock.time += timedelta(minutes=1)
    shop.settle()
    return lease


def known(shop: Shop) -> tuple[KnownTest, ...]:
    with shop.database.reading() as connection:
        return outcome_queries.known_tests(connection)


def state_of(shop: Shop, lease: Lease) -> StepState:
    with shop.database.reading() as connection:
        step = queries.step(connection, lease.step_run)
    assert step is not None
    return step.state


@pytest.fixture
def acts(shop: Shop) -> QuarantineActs:
    return QuarantineActs(shop.engine)


def test_a_test_that_fails_and_then_passes_in_two_attempts_of_one_step_is_flaky(shop: Shop) -> None:
    run = shop.added(RETRIED)
    performs(shop, CART)
    assert known(shop) == ()
    performs(shop)
    (found,) = known(shop)
    assert found.is_flaky
    assert found.history is not None
    assert (found.test, found.history.failed, found.history.total, found.history.last_run) == (CART, 1, 2, run)
    said = [one for one in shop.said() if "is flaky" in one]
    assert said == [
        f"build: unit tests: {CART} is flaky: on the same content it failed and passed (1 of 2 times it failed)"
    ]


def test_another_run_with_the_same_content_tells_as_well_and_one_with_another_does_not(shop: Shop) -> None:
    shop.added(CACHED)
    performs(shop, CART, PRICES)
    shop.pushed()  # the files that the step depends on are the same
    performs(shop, PRICES)
    assert [one.test for one in known(shop)] == [CART]
    shop.pushed(CACHED.replace("make test", "make tests"))
    performs(shop)
    assert [one.test for one in known(shop)] == [CART]


def test_a_run_that_is_tried_again_tells_of_a_step_without_inputs(shop: Shop) -> None:
    run = shop.added(ONCE)
    performs(shop, CART)
    shop.runs.retry(run, OWNER)
    shop.settle()
    performs(shop)
    assert [(one.test, one.is_flaky) for one in known(shop)] == [(CART, True)]


def test_a_test_is_said_to_be_flaky_once(shop: Shop) -> None:
    run = shop.added(RETRIED)
    performs(shop, CART)
    performs(shop, PRICES)
    performs(shop, CART)
    shop.runs.retry(run, OWNER)
    shop.settle()
    performs(shop)
    assert [one.partition(" is flaky")[0] for one in shop.said() if "is flaky" in one] == [
        f"build: unit tests: {CART}",
        f"build: unit tests: {PRICES}",
    ]


def test_a_test_that_passes_and_then_fails_for_the_first_time_in_one_step_is_flaky(shop: Shop) -> None:
    shop.added(RETRIED)
    for failing in (CART, PRICES):
        performs(shop, failing, tests=TestReport(10, 1, 0, (failing,), ran="both"))
    assert [(one.test, one.is_flaky) for one in known(shop)] == [(PRICES, True)]


def test_what_an_agent_says_of_tests_that_nobody_watches_is_left_alone(shop: Shop) -> None:
    shop.added(RETRIED)
    (lease,) = shop.leased()
    assert lease.watched_tests == ()
    shop.leasing.report(holds(lease), ended(shop, CART, passed=(PRICES,)))
    assert {row["test"] for row in shop.rows()["test_outcome"]} == {CART}


def test_what_is_old_is_forgotten_and_of_a_step_no_more_than_so_many(
    shop: Shop, acts: QuarantineActs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shop.added(ONCE)
    for failing in ([CART], [CART, PRICES], [PRICES]):
        performs(shop, *failing)
        shop.runs.retry(run, OWNER)
        shop.settle()
    assert len(shop.rows()["test_outcome"]) == 5
    monkeypatch.setattr("tidegate.engine.quarantines.KEPT_A_STEP", 3)
    acts.forget_old()
    assert [row["attempt"] for row in shop.rows()["test_outcome"]] == [3, 3]
    shop.clock.time += KEPT_FOR + DAY
    acts.forget_old()
    assert shop.rows()["test_outcome"] == []


def test_a_step_whose_failing_tests_are_all_in_quarantine_passes_says_so_and_is_not_kept(
    shop: Shop, acts: QuarantineActs
) -> None:
    acts_until = shop.clock.now() + 14 * DAY
    run = shop.added(CACHED)
    acts.quarantine(SHOP, CART, "Ada", acts_until, "sometimes slow", OWNER)
    lease = performs(shop, CART)
    assert state_of(shop, lease) is StepState.SUCCEEDED
    assert "build: unit tests succeeded: passed: 1 failing test is in quarantine (owner Ada, until " in shop.said()[-3]
    assert shop.run(run).release is not None
    assert shop.rows()["cached_result"] == []
    assert [(one.test, one.is_flaky) for one in known(shop)] == [(CART, False)]


@pytest.mark.parametrize(
    "more",
    [
        {"exit_code": None},
        {"exit_code": 137},
        {"tests": None},
        {"ended_first": True},
        {"tests": TestReport(10, 2, 0, (CART,))},
        {"outcome": StepOutcome.TIMED_OUT},
    ],
    ids=["ended by the agent", "ended by a signal", "no report", "run was not run", "one without a name", "timed out"],
)
def test_a_quarantine_excuses_nothing_but_the_tests_themselves(
    shop: Shop, acts: QuarantineActs, more: dict[str, object]
) -> None:
    shop.added(ONCE)
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    assert not state_of(shop, performs(shop, CART, **more)).is_good


def test_a_test_that_is_not_in_quarantine_still_fails_its_step(shop: Shop, acts: QuarantineActs) -> None:
    shop.added(ONCE)
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    assert state_of(shop, performs(shop, CART, PRICES)) is StepState.FAILED


def test_a_step_that_makes_something_passes_only_where_that_is_there(shop: Shop, acts: QuarantineActs) -> None:
    run = shop.added(ONCE + "      artifacts: {shop: shop.whl}\n")
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    lease = performs(shop, CART)
    assert lease.excused_tests == (CART,)
    assert state_of(shop, lease) is StepState.FAILED
    assert "its outputs or artifacts are not there" in shop.said()[-2]
    shop.runs.retry(run, OWNER)
    shop.settle()
    made = BuiltFile("shop", "shop.whl", Digest("sha256:" + "0" * 64), 1)
    assert state_of(shop, performs(shop, CART, artifacts=(made,))) is StepState.SUCCEEDED


def test_a_quarantine_that_has_expired_has_no_effect_and_the_record_says_so_once(
    shop: Shop, acts: QuarantineActs
) -> None:
    shop.added(ONCE)
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    acts.look_after()
    assert "expired" not in shop.said()[-1]
    shop.clock.time += DAY
    assert state_of(shop, performs(shop, CART)) is StepState.FAILED
    acts.look_after()
    acts.look_after()
    expired = f"the quarantine of the test {CART} has expired (owner Ada): it counts again"
    assert shop.said().count(expired) == 1
    shop.clock.time += KEPT_FOR + DAY
    acts.forget_old()
    assert shop.rows()["test_quarantine"] == []


def test_a_test_that_is_taken_out_of_quarantine_counts_again(shop: Shop, acts: QuarantineActs) -> None:
    shop.added(ONCE)
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    acts.release(SHOP, CART, OWNER)
    assert shop.said()[-1] == f"owner takes the test {CART} out of quarantine"
    assert state_of(shop, performs(shop, CART)) is StepState.FAILED


@pytest.mark.parametrize("days", [-1, 0, 91])
def test_a_quarantine_ends_within_ninety_days(shop: Shop, acts: QuarantineActs, days: int) -> None:
    shop.added(ONCE)
    until = shop.clock.now() + days * DAY
    shop.refuses(lambda: acts.quarantine(SHOP, CART, "Ada", until, "", OWNER), Refusal.INVALID)


def test_what_cannot_be_is_refused_with_the_remedy(shop: Shop, acts: QuarantineActs) -> None:
    shop.added(ONCE)
    soon = shop.clock.now() + DAY
    shop.refuses(lambda: acts.quarantine(SHOP, CART, " ", soon, "", OWNER), Refusal.INVALID)
    shop.refuses(lambda: acts.quarantine("nosuch", CART, "Ada", soon, "", OWNER), Refusal.NOT_FOUND)
    refused = shop.refuses(lambda: acts.release(SHOP, CART, OWNER), Refusal.NOT_FOUND)
    assert refused.remedy == "tidegate tests flaky shop"


def test_what_failed_the_last_time_is_handed_to_the_agent_for_the_next_commit(shop: Shop) -> None:
    shop.added(FIRST)
    assert performs(shop, CART, PRICES).failed_tests == ()
    shop.pushed()
    assert performs(shop, PRICES).failed_tests == (CART, PRICES)
    shop.pushed()
    assert performs(shop).failed_tests == (PRICES,)
    shop.pushed()
    assert performs(shop).failed_tests == ()


def test_a_step_that_is_tried_again_begins_with_what_it_failed_itself(shop: Shop) -> None:
    first = shop.added(FIRST)
    performs(shop, CART)
    shop.pushed()
    performs(shop, PRICES)
    shop.runs.retry(first, OWNER)
    shop.settle()
    assert performs(shop).failed_tests == (CART,)


def test_a_result_that_says_nothing_of_tests_is_looked_past(shop: Shop) -> None:
    shop.added(FIRST)
    performs(shop, CART)
    shop.pushed()
    performs(shop, CART, tests=None)
    shop.pushed()
    assert performs(shop).failed_tests == (CART,)


def test_a_step_without_failed_first_is_told_no_tests_and_one_in_quarantine_is_not_run_first(
    shop: Shop, acts: QuarantineActs
) -> None:
    shop.added(ONCE)
    performs(shop, CART)
    shop.pushed()
    assert performs(shop, CART, PRICES).failed_tests == ()
    acts.quarantine(SHOP, CART, "Ada", shop.clock.now() + DAY, "", OWNER)
    shop.pushed(FIRST)
    assert performs(shop).failed_tests == (PRICES,)
