"""What a ramp's figures say: how much was held, where p99 leaves, and whether that is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NOON, PRODUCTION

from tidegate.model.load import (
    STEPS,
    LoadReport,
    LoadRule,
    LoadStep,
    asked_rate,
    capacity_of,
    judge_load,
    knee_of,
    plan_load,
)
from tidegate.model.verdict import Verdict

RULE = LoadRule(PRODUCTION, at_least=1.0, multiple=2.0, ramp=timedelta(minutes=2))
BUSIEST = 90
"""Requests a minute: 180 have to be held, in steps of 22.5."""


def a_step(rate: float, *, share: float = 1.0, failed: float = 0.0, p99: float = 12.0, sent: float = 1.0) -> LoadStep:
    """A rate in requests a minute, of which that share was answered."""
    per_second = rate / 60
    return LoadStep(per_second, 1000, round(failed * 1000), sent * per_second, share * per_second, 5.0, 9.0, p99)


def a_ramp(*beyond: LoadStep, busiest: int | None = BUSIEST) -> LoadReport:
    """All eight steps, the last of which are these."""
    good = [a_step(22.5 * number) for number in range(1, STEPS + 1 - len(beyond))]
    return LoadReport((*good, *beyond), NOON, NOON + timedelta(minutes=2), busiest)


SATURATED = (a_step(157.5, share=0.9, p99=480), a_step(180, share=0.8, p99=2200))


def test_the_ramp_goes_up_to_what_is_asked_in_equal_steps() -> None:
    plan = plan_load(RULE, "http://127.0.0.1:8600", BUSIEST)
    assert [round(rate * 60, 6) for rate in plan.rates] == [22.5, 45, 67.5, 90, 112.5, 135, 157.5, 180]
    assert (plan.url, plan.seconds, plan.busiest) == ("http://127.0.0.1:8600/", 15.0, BUSIEST)


@pytest.mark.parametrize(
    ("busiest", "asked"), [(None, 1.0), (3, 1.0), (90, 3.0)], ids=["nothing is known", "hardly any", "many"]
)
def test_what_is_asked_is_never_less_than_the_file_says(busiest: int | None, asked: float) -> None:
    assert asked_rate(RULE, busiest) == asked


def test_a_service_that_saturates_at_one_and_a_half_times_fails_where_two_are_asked() -> None:
    result = judge_load(RULE, a_ramp(*SATURATED))
    assert (result.verdict, result.multiple) == (Verdict.FAIL, 1.5)
    assert result.reason == (
        "held 1.5 times the busiest minute of the last week in production (90 requests/min → 135), and 2 times are "
        "asked: beyond it 142 requests/min of 158 requests/min were answered and p99 rose from 12 to 480 ms"
    )


def test_a_service_that_holds_all_of_it_passes_and_says_where_p99_leaves() -> None:
    result = judge_load(RULE, a_ramp(a_step(157.5, p99=40), a_step(180, p99=60)))
    assert (result.verdict, result.multiple) == (Verdict.PASS, 2.0)
    assert result.reason.startswith(
        "held 2 times the busiest minute of the last week in production (90 requests/min → 180)"
    )
    assert result.reason.endswith("p99 60 ms (from 158 requests/min on it leaves what it was)")


def test_requests_that_fail_are_not_held_however_fast_they_are_answered() -> None:
    result = judge_load(RULE, a_ramp(a_step(180, failed=0.02)))
    assert result.verdict is Verdict.FAIL
    assert result.reason.endswith("beyond it 2% of the requests failed")


def test_a_service_that_holds_nothing_is_told_so() -> None:
    broken = tuple(a_step(22.5 * number, failed=1.0, share=0.0) for number in range(1, STEPS + 1))
    result = judge_load(RULE, a_ramp(*broken))
    assert (result.verdict, result.capacity, result.multiple) == (Verdict.FAIL, 0.0, 0.0)
    assert result.reason.startswith("did not hold even 22.5 requests/min, and 2 times are asked")


def test_without_a_busiest_minute_there_is_no_multiple_of_it() -> None:
    rule = replace(RULE, at_least=3.0)
    result = judge_load(rule, a_ramp(*SATURATED, busiest=None))
    assert (result.verdict, result.multiple) == (Verdict.FAIL, None)
    assert "nothing is known of a busiest minute in production" in result.reason
    assert judge_load(rule, a_ramp(busiest=None)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "ramp",
    [
        a_ramp(a_step(180, sent=0.8, share=0.8)),
        LoadReport((), NOON, NOON, BUSIEST),
        replace(a_ramp(), steps=a_ramp().steps[:5]),
        replace(a_ramp(), steps=tuple(replace(one, sent=19) for one in a_ramp().steps)),
    ],
    ids=["the agent could not send so much", "no steps", "it ended early", "too few to say anything"],
)
def test_what_was_not_sent_says_nothing_of_the_service(ramp: LoadReport) -> None:
    assert judge_load(RULE, ramp).verdict is Verdict.NO_DATA


def test_what_the_service_did_not_hold_before_the_agent_was_at_its_end_is_harm() -> None:
    ramp = a_ramp(a_step(157.5, share=0.7), a_step(180, sent=0.5, share=0.5))
    assert judge_load(RULE, ramp).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("p99s", "knee"),
    [
        ((10, 11, 10, 12), None),
        ((10, 11, 30, 40), 2),
        ((10, 11, 200, 12), None),
        ((10, 11, 12, 200), 3),
        ((1, 1, 4, 5), None),
        ((300, 10, 10, 11), None),
        ((50,), None),
        ((), None),
    ],
    ids=["flat", "leaves", "one bad moment", "at the end", "a few ms", "a slow start", "one step", "none"],
)
def test_the_knee_is_where_p99_leaves_not_to_come_back(p99s: tuple[float, ...], knee: int | None) -> None:
    steps = [a_step(60.0 * number, p99=p99) for number, p99 in enumerate(p99s, 1)]
    assert knee_of(steps) == (None if knee is None else steps[knee].rate)


def test_answers_that_stop_coming_are_a_knee_too() -> None:
    steps = [a_step(60), a_step(120), replace(a_step(180), p99=None)]
    assert knee_of(steps) == steps[2].rate


steps_of_ramps = st.lists(
    st.builds(
        a_step,
        st.floats(1, 1000),
        share=st.floats(0, 1),
        failed=st.floats(0, 1),
        p99=st.floats(0.1, 10_000),
        sent=st.floats(0.5, 1),
    ),
    max_size=STEPS,
).map(lambda found: sorted(found, key=lambda step: step.rate))


@given(steps_of_ramps)
def test_all_up_to_the_capacity_is_held_and_what_follows_is_not(steps: list[LoadStep]) -> None:
    capacity = capacity_of(steps)
    held = [step for step in steps if step.is_held]
    assert capacity == 0.0 or all(step.is_held for step in steps if step.rate < capacity)
    assert capacity == 0.0 or capacity in {step.rate for step in held}


@given(steps_of_ramps, st.floats(1.01, 100))
def test_slower_answers_never_raise_what_is_held_and_the_first_rate_is_no_knee(
    steps: list[LoadStep], times: float
) -> None:
    slower = [replace(step, answered_rate=step.answered_rate / times) for step in steps]
    assert capacity_of(slower) <= capacity_of(steps)
    assert not steps or knee_of(steps) is None or knee_of(steps) != steps[0].rate or steps[0].rate == steps[1].rate


@given(steps_of_ramps, st.one_of(st.none(), st.integers(1, 10_000)))
def test_every_ramp_has_an_answer_in_words(steps: list[LoadStep], busiest: int | None) -> None:
    result = judge_load(RULE, LoadReport(tuple(steps), NOON, NOON, busiest))
    assert result.reason
    assert result.verdict is not Verdict.PASS or result.capacity >= 0.95 * result.asked
