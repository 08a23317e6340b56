"""A test is flaky when it failed and passed on one content, in whichever order and wherever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NOON, UNHURRIED, a_change, a_commit, a_pipeline, a_run, a_step, a_step_run

from tidegate.model.flaky import (
    TestId,
    TestOutcome,
    content_of,
    histories_of,
    newly_flaky,
    outcomes_of,
)
from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import MOST_FAILURES, StepOutcome, StepReport, TestReport

UNIT = a_step_run(a_step("unit"), scope="build")
THIS_RUN = a_run(a_pipeline())


def outcome(
    number: int, content: str, failed: bool, test: str = "a", step: str = "unit", scope: str = "build"
) -> TestOutcome:
    """The number-th attempt, a minute after the one before."""
    return TestOutcome(
        step_run=StepRunId(f"step{number:03}"),
        attempt=1,
        test=test,
        service=ServiceName("shop"),
        scope=scope,
        step=StepName(step),
        content=content,
        run=RunId(f"run{number:03}"),
        at=NOON + timedelta(minutes=number),
        failed=failed,
    )


def series(told: str) -> list[TestOutcome]:
    """Of each word (`x-`: it failed on the content x, `x+`: it passed there) an outcome, one after another."""
    return [outcome(number, word[:-1], word.endswith("-")) for number, word in enumerate(told.split())]


@pytest.mark.parametrize(
    ("told", "flaky", "failed"),
    [
        ("x- x+", True, 1),
        ("x+ x-", True, 1),
        ("x- y+ x+", True, 1),
        ("x- x- x+", True, 2),
        ("x- y- y+", True, 2),
        ("x-", False, 1),
        ("x- x- x-", False, 3),
        ("x- y+", False, 1),
        ("x+ y- z+ y-", False, 2),
    ],
)
def test_differing_results_for_one_content_make_a_test_flaky(told: str, flaky: bool, failed: int) -> None:
    (history,) = histories_of(series(told))
    assert (history.is_flaky, history.failed, history.total) == (flaky, failed, len(told.split()))


def test_a_test_that_never_failed_has_no_history() -> None:
    assert histories_of(series("x+ x+ y+")) == ()


def test_a_history_tells_when_it_failed_first_and_last_and_in_which_run() -> None:
    (history,) = histories_of(reversed(series("x+ x- y- x+")))
    assert history.id == TestId(ServiceName("shop"), "build", StepName("unit"), "a")
    assert (history.first_failed_at, history.last_failed_at) == (
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2),
    )
    assert history.last_run == "run002"


@pytest.mark.parametrize("other", [{"test": "b"}, {"step": "slow"}, {"scope": "staging"}])
def test_what_another_test_or_the_same_in_another_step_did_says_nothing(other: dict[str, str]) -> None:
    assert not any(one.is_flaky for one in histories_of([outcome(1, "x", True), outcome(2, "x", False, **other)]))


OUTCOMES = st.lists(st.tuples(st.sampled_from("xyz"), st.booleans(), st.sampled_from("ab")), max_size=12).map(
    lambda told: [outcome(number, *one) for number, one in enumerate(told)]
)


@UNHURRIED
@given(outcomes=OUTCOMES, data=st.data())
def test_the_order_in_which_outcomes_are_read_changes_nothing(outcomes: list[TestOutcome], data: st.DataObject) -> None:
    assert histories_of(data.draw(st.permutations(outcomes))) == histories_of(outcomes)


@UNHURRIED
@given(outcomes=OUTCOMES)
def test_a_history_counts_what_was_seen_and_flaky_means_both_on_one_content(outcomes: list[TestOutcome]) -> None:
    found = {one.id.test: one for one in histories_of(outcomes)}
    for test in "ab":
        own = [one for one in outcomes if one.test == test]
        failed = {one.content for one in own if one.failed}
        assert (test in found) == bool(failed)
        if failed:
            assert found[test].total == len(own)
            assert found[test].failed == len([one for one in own if one.failed])
            assert found[test].is_flaky == bool(failed & {one.content for one in own if not one.failed})


@UNHURRIED
@given(outcomes=OUTCOMES, cut=st.integers(0, 12))
def test_each_flaky_test_is_new_once_however_its_outcomes_come_in(outcomes: list[TestOutcome], cut: int) -> None:
    first, second = newly_flaky((), outcomes[:cut]), newly_flaky(outcomes[:cut], outcomes[cut:])
    told = [one.id.test for one in (*first, *second)]
    assert sorted(told) == [one.id.test for one in histories_of(outcomes) if one.is_flaky]


def a_report(*failures: str, passed: tuple[str, ...] = ()) -> StepReport:
    return StepReport(StepOutcome.FAILED, 1, "", NOON, NOON, tests=TestReport(9, len(failures), 0, failures, passed))


def test_a_report_tells_of_what_failed_and_of_watched_tests_that_passed() -> None:
    found = outcomes_of(THIS_RUN, UNIT, a_report("a", "a", "b", passed=("b", "c", "d")), watched=("b", "c"))
    assert [(one.test, one.failed) for one in found] == [("a", True), ("b", True), ("c", False)]


def test_of_an_attempt_no_more_is_remembered_than_so_many() -> None:
    assert len(outcomes_of(THIS_RUN, UNIT, a_report(*map(str, range(1000))), watched=())) == MOST_FAILURES


def test_a_report_without_tests_tells_nothing() -> None:
    assert outcomes_of(THIS_RUN, UNIT, StepReport(StepOutcome.LOST, None, "", NOON, NOON), ()) == ()


def test_with_inputs_the_content_is_the_key() -> None:
    assert content_of(THIS_RUN, replace(UNIT, key="k" * 64), None) == "k" * 64


def test_without_inputs_it_is_the_commit_and_how_the_step_runs() -> None:
    content = content_of(THIS_RUN, UNIT, None)
    assert content_of(replace(THIS_RUN, id=RunId("another")), replace(UNIT, attempt=2, agent="b"), None) == content
    step = UNIT.step
    others = {
        content,
        content_of(replace(THIS_RUN, change=a_change(a_commit("d"))), UNIT, None),
        content_of(THIS_RUN, replace(UNIT, scope="staging"), None),
        content_of(THIS_RUN, replace(UNIT, step=replace(step, run="make more")), None),
        content_of(THIS_RUN, replace(UNIT, step=replace(step, env={"A": "b"})), None),
        content_of(THIS_RUN, UNIT, "sha256:1"),
    }
    assert len(others) == 6


def attempted(*attempts: tuple[str, tuple[str, ...]]) -> tuple[TestOutcome, ...]:
    """What the last of these attempts tells, each the tests that ran and those that failed."""
    reports = [replace(a_report(), tests=TestReport(9, len(failed), 0, failed, ran=ran)) for ran, failed in attempts]
    step = replace(UNIT, attempt=len(reports), earlier=tuple(reports[:-1]))
    return outcomes_of(THIS_RUN, step, reports[-1], ())


def test_what_fails_for_the_first_time_passed_in_an_earlier_attempt_of_the_same_tests() -> None:
    found = attempted(("ab", ("a",)), ("ab", ("b",)))
    assert [(one.attempt, one.test, one.failed) for one in found] == [(2, "b", True), (1, "b", False)]
    assert [one.id.test for one in newly_flaky((), found)] == ["b"]


@pytest.mark.parametrize("before", [("abc", ()), ("", ()), ("ab", ("b",))])
def test_nothing_is_concluded_from_an_attempt_of_other_tests_or_in_which_it_failed(
    before: tuple[str, tuple[str, ...]],
) -> None:
    assert [one.failed for one in attempted(before, ("ab", ("b",)))] == [True]
    assert [one.failed for one in attempted(("", ()), ("", ("b",)))] == [True]


def test_nothing_is_concluded_from_a_report_that_names_not_all_that_failed() -> None:
    cut = replace(a_report("a"), tests=TestReport(9, 2, 0, ("a",), ran="ab"))
    now = replace(a_report("b"), tests=TestReport(9, 1, 0, ("b",), ran="ab"))
    assert len(outcomes_of(THIS_RUN, replace(UNIT, attempt=2, earlier=(cut,)), now, ())) == 1
