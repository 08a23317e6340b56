"""Which step is ready, which is tried again, and which never runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NOON, SECOND, UNHURRIED, a_report, a_step, a_step_run, step_runs

from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import RetryCause
from tidegate.model.step_progress import Outcome, advance_steps, first_failure, outcome_of, reset_step
from tidegate.model.step_run import STATE_OF, StepRun, StepState

S = StepState
ENDED = [state for state in StepState if state.is_ended]
EVERY_CAUSE = tuple(RetryCause)


def states(steps: tuple[StepRun, ...]) -> list[StepState]:
    return [step.state for step in steps]


def put(steps: tuple[StepRun, ...], **wanted: StepState) -> tuple[StepRun, ...]:
    """The steps, with the named ones in these states."""
    return tuple(replace(step, state=wanted.get(step.name, step.state)) for step in steps)


# what needs what

DIAMOND = step_runs(a_step("a"), a_step("b", "a"), a_step("c", "a"), a_step("d", "b", "c"))


def test_steps_that_need_nothing_are_ready_at_once_and_together() -> None:
    advanced = advance_steps(step_runs(a_step("a"), a_step("b")), NOON)
    assert states(advanced) == [S.READY, S.READY]
    assert [step.ready_at for step in advanced] == [NOON, NOON]


def test_a_step_waits_for_all_that_it_needs() -> None:
    assert states(advance_steps(DIAMOND, NOON)) == [S.READY, S.WAITING, S.WAITING, S.WAITING]
    after_a = put(DIAMOND, a=S.SUCCEEDED)
    assert states(advance_steps(after_a, NOON)) == [S.SUCCEEDED, S.READY, S.READY, S.WAITING]
    after_b = put(after_a, b=S.SUCCEEDED, c=S.RUNNING)
    assert states(advance_steps(after_b, NOON)) == [S.SUCCEEDED, S.SUCCEEDED, S.RUNNING, S.WAITING]
    after_c = put(after_b, c=S.SUCCEEDED)
    assert states(advance_steps(after_c, NOON))[3] is S.READY


@pytest.mark.parametrize("ending", [state for state in ENDED if not state.is_good])
def test_what_needs_a_step_that_did_not_succeed_is_skipped_down_to_the_last(ending: StepState) -> None:
    chain = step_runs(a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c"))
    assert states(advance_steps(put(chain, a=ending), NOON)) == [ending, S.SKIPPED, S.SKIPPED, S.SKIPPED]


def test_what_needs_a_step_that_was_left_out_goes_on_as_if_it_were_not_there() -> None:
    chain = step_runs(a_step("a"), a_step("b", "a"))
    assert states(advance_steps(put(chain, a=S.LEFT_OUT), NOON)) == [S.LEFT_OUT, S.READY]


def test_a_failure_skips_nothing_that_does_not_need_it() -> None:
    beside = step_runs(a_step("a"), a_step("b"), a_step("c", "a"))
    assert states(advance_steps(put(beside, a=S.FAILED), NOON)) == [S.FAILED, S.READY, S.SKIPPED]


def test_a_step_with_an_input_that_is_missing_fails_unless_it_is_not_wanted_anyway() -> None:
    steps = tuple(replace(one, missing_input="no file") for one in step_runs(a_step("a")))
    (failed,) = advance_steps(steps, NOON)
    assert (failed.state, failed.report and failed.report.detail) == (S.FAILED, "no file")
    assert states(advance_steps(steps, NOON, is_wanted=lambda _step, _needed: False)) == [S.LEFT_OUT]


def test_steps_may_need_what_the_file_names_after_them() -> None:
    backwards = step_runs(a_step("c", "b"), a_step("b", "a"), a_step("a"))
    assert states(advance_steps(put(backwards, a=S.LOST), NOON)) == [S.SKIPPED, S.SKIPPED, S.LOST]


# trying again


@pytest.mark.parametrize(
    ("ending", "cause"),
    [(S.LOST, RetryCause.LOST), (S.TIMED_OUT, RetryCause.TIMEOUT), (S.FAILED, RetryCause.FAILED)],
)
def test_a_step_is_tried_again_only_for_the_causes_that_the_file_names(ending: StepState, cause: RetryCause) -> None:
    others = tuple(one for one in RetryCause if one is not cause)
    (again,) = advance_steps([a_step_run(a_step("a", attempts=2, causes=(cause,)), ending)], NOON)
    assert (again.state, again.attempt) == (S.READY, 2)
    (ended,) = advance_steps([a_step_run(a_step("a", attempts=2, causes=others), ending)], NOON)
    assert (ended.state, ended.attempt) == (ending, 1)


@pytest.mark.parametrize("ending", [S.LOST, S.TIMED_OUT, S.FAILED])
def test_a_step_is_not_tried_more_often_than_the_file_says(ending: StepState) -> None:
    step = a_step("a", attempts=3, causes=EVERY_CAUSE)
    assert advance_steps([a_step_run(step, ending, attempt=2)], NOON)[0].attempt == 3
    assert advance_steps([a_step_run(step, ending, attempt=3)], NOON)[0].state is ending


@pytest.mark.parametrize("ending", [S.SUCCEEDED, S.CANCELLED, S.SKIPPED])
def test_nothing_makes_a_step_be_tried_again_that_succeeded_or_was_stopped(ending: StepState) -> None:
    assert advance_steps([a_step_run(a_step("a", attempts=9, causes=EVERY_CAUSE), ending)], NOON)[0].state is ending


def test_a_step_that_is_tried_again_keeps_what_needs_it_waiting() -> None:
    steps = step_runs(a_step("a", attempts=2), a_step("b", "a"))
    assert states(advance_steps(put(steps, a=S.LOST), NOON)) == [S.READY, S.WAITING]


def test_a_new_attempt_forgets_the_old_one_but_keeps_its_report_and_its_fence() -> None:
    first, second = a_report(StepOutcome.LOST), a_report(StepOutcome.TIMED_OUT)
    step = replace(
        a_step_run(a_step("a"), S.TIMED_OUT, attempt=2),
        fence=4,
        agent="local",
        leased_until=NOON,
        cancel_asked=True,
        began_at=NOON,
        report=second,
        earlier=(first,),
    )
    again = reset_step(step)
    assert (again.state, again.attempt, again.fence) == (S.WAITING, 3, 4)
    assert again.earlier == (first, second)
    left = (again.agent, again.leased_until, again.cancel_asked, again.began_at, again.ended_at, again.report)
    assert left == (None, None, False, None, None, None)


# cancelling


def test_a_cancel_ends_what_has_not_begun_and_asks_what_runs_to_stop() -> None:
    steps = put(DIAMOND, a=S.SUCCEEDED, b=S.RUNNING, c=S.READY)
    cancelled = advance_steps(steps, NOON, cancel=True)
    assert states(cancelled) == [S.SUCCEEDED, S.RUNNING, S.CANCELLED, S.CANCELLED]
    assert [step.cancel_asked for step in cancelled] == [False, True, False, False]


def test_a_lost_step_is_not_tried_again_while_its_scope_is_cancelled() -> None:
    lost = [a_step_run(a_step("a", attempts=5), S.LOST)]
    assert advance_steps(lost, NOON, cancel=True)[0].state is S.LOST


# how they stand together


def test_a_scope_without_steps_has_succeeded() -> None:
    assert outcome_of([]) is Outcome.SUCCEEDED


def test_a_scope_is_open_as_long_as_one_step_runs_even_if_another_failed() -> None:
    steps = step_runs(a_step("a"), a_step("b"))
    assert outcome_of(put(steps, a=S.FAILED, b=S.RUNNING)) is Outcome.OPEN
    assert outcome_of(put(steps, a=S.FAILED, b=S.SUCCEEDED)) is Outcome.FAILED
    assert outcome_of(put(steps, a=S.SUCCEEDED, b=S.SUCCEEDED)) is Outcome.SUCCEEDED


def test_the_first_failure_is_the_one_that_ended_first_and_never_one_that_only_followed() -> None:
    a, b, c = step_runs(a_step("a"), a_step("b"), a_step("c", "b"))
    a = replace(a, state=S.FAILED, ended_at=NOON + SECOND)
    b = replace(b, state=S.TIMED_OUT, ended_at=NOON)
    c = replace(c, state=S.SKIPPED, ended_at=NOON - SECOND)
    assert first_failure([a, b, c]) == b
    assert first_failure([c]) is None


def test_every_way_in_which_an_agent_ends_an_attempt_is_an_ended_state() -> None:
    assert STATE_OF.keys() == set(StepOutcome)
    assert all(state.is_ended for state in STATE_OF.values())


@st.composite
def scopes(draw: st.DrawFn) -> tuple[StepRun, ...]:
    """Up to six steps, each of which may need earlier ones, in any states."""
    runs: list[StepRun] = []
    for position in range(draw(st.integers(1, 6))):
        needs = draw(st.sets(st.integers(0, position - 1), max_size=2)) if position else set()
        attempts, causes = draw(st.integers(1, 3)), tuple(draw(st.sets(st.sampled_from(RetryCause))))
        step = a_step(f"s{position}", *(f"s{need}" for need in sorted(needs)), attempts=attempts, causes=causes)
        attempt = draw(st.integers(1, attempts))
        runs.append(a_step_run(step, draw(st.sampled_from(StepState)), position=position, attempt=attempt))
    return tuple(runs)


@UNHURRIED
@given(steps=scopes(), cancel=st.booleans())
def test_advancing_twice_is_advancing_once(steps: tuple[StepRun, ...], cancel: bool) -> None:
    once = advance_steps(steps, NOON, cancel=cancel)
    assert advance_steps(once, NOON + SECOND, cancel=cancel) == once


@UNHURRIED
@given(steps=scopes())
def test_steps_keep_their_order_and_none_gets_more_attempts_than_it_may_have(steps: tuple[StepRun, ...]) -> None:
    advanced = advance_steps(steps, NOON)
    assert [step.id for step in advanced] == [step.id for step in steps]
    assert all(step.attempt <= step.step.retry.attempts for step in advanced)


@UNHURRIED
@given(steps=scopes())
def test_a_step_becomes_ready_only_when_all_that_it_needs_succeeded(steps: tuple[StepRun, ...]) -> None:
    advanced = advance_steps(steps, NOON)
    known = {step.name: step.state for step in advanced}
    for before, after in zip(steps, advanced, strict=True):
        if after.state is S.READY and before.state is not S.READY:
            assert all(known[need].is_good for need in after.step.needs)


@UNHURRIED
@given(steps=scopes())
def test_no_scope_waits_for_nothing(steps: tuple[StepRun, ...]) -> None:
    """As long as it is open, something is ready for an agent or runs on one."""
    advanced = advance_steps(steps, NOON)
    if outcome_of(advanced) is Outcome.OPEN:
        assert any(step.state in (S.READY, S.RUNNING) for step in advanced)


@UNHURRIED
@given(steps=scopes())
def test_after_a_cancel_nothing_new_begins(steps: tuple[StepRun, ...]) -> None:
    cancelled = advance_steps(steps, NOON, cancel=True)
    assert all(step.state.is_ended or (step.state is S.RUNNING and step.cancel_asked) for step in cancelled)
