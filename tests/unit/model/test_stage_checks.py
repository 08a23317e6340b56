"""Scripts that run again and again while a deployment is verified, and the load check with which that ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    BLUE_GREEN,
    MINUTE,
    NOON,
    PRODUCTION,
    SECOND,
    STAGE_STAGING,
    a_pipeline,
    a_report,
    a_step,
)
from tests.unit.model.run_story import RunStory, a_run_story
from tests.unit.model.test_load import SATURATED, a_ramp

from tidegate.model.environment import Environment
from tidegate.model.event import EventKind
from tidegate.model.ids import StageName
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.load import LoadReport, LoadRule
from tidegate.model.pipeline import Repeat, Step, VerifyRule
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.model.stage_checks import KEPT_REPORTS
from tidegate.model.step_run import StepState

EVERY = timedelta(seconds=30)
LOST = StepOutcome.LOST


def a_check(name: str = "order", failures: int = 1) -> Step:
    return replace(a_step(name), repeat=Repeat(EVERY, failures))


LOAD = replace(a_step("load check"), load=LoadRule(PRODUCTION, at_least=1.0))


def verified_by(*checks: Step, load: Step | None = None, steps: tuple[Step, ...] = ()) -> RunStory:
    """Staging has all of the traffic, and is judged from now on."""
    pipeline = a_pipeline(staging_steps=steps, verify=VerifyRule(checks=checks, load=load), deploy=BLUE_GREEN)
    story = a_run_story(pipeline).settle()
    assert all(step.state is StepState.WAITING for step in story.state.steps)
    last = len(story.rollout(STAGE_STAGING).plan) - 1
    return story.rollout_is(RolloutState.JUDGING, STAGE_STAGING, step=last, step_since=NOON)


def ends(story: RunStory, outcome: StepOutcome = StepOutcome.SUCCEEDED, name: str = "order") -> RunStory:
    return story.step_ends(name, outcome, scope="staging")


def state_of(story: RunStory, name: str = "order") -> StepState:
    return story.step(name, "staging").state


def passes(story: RunStory) -> bool:
    return story.rollout(STAGE_STAGING).steps_passed


def asked(story: RunStory) -> str:
    cause = story.rollout(STAGE_STAGING).rollback_asked
    return cause.text if cause and cause.for_cause else ""


def test_a_check_begins_at_once_and_again_when_its_time_has_come() -> None:
    story = verified_by(a_check())
    assert state_of(story) is StepState.READY and not passes(story)
    ends(story.wait(5 * SECOND))
    assert passes(story)
    assert state_of(story) is StepState.SUCCEEDED
    assert story.run.wake_at == NOON + EVERY
    story.wait(EVERY - 6 * SECOND)
    assert state_of(story) is StepState.SUCCEEDED
    story.wait(SECOND)
    assert (state_of(story), story.step("order", "staging").attempt) == (StepState.READY, 2)
    assert passes(story), "the last round that said something went well"


def test_a_check_does_not_begin_before_the_deployment_has_all_of_the_traffic() -> None:
    story = verified_by(a_check()).rollout_is(RolloutState.MOVING, STAGE_STAGING)
    assert state_of(a_run_story(story.run.pipeline).settle()) is StepState.WAITING


def test_a_check_that_fails_takes_the_deployment_back_for_cause_as_harm_does() -> None:
    story = ends(verified_by(a_check()), StepOutcome.FAILED)
    assert asked(story) == "verification failed: the check order failed: exit 1"
    story.goes_back(STAGE_STAGING, text=asked(story))
    assert story.stage(STAGE_STAGING).state is StageState.ROLLED_BACK
    assert story.status is RunStatus.ROLLED_BACK


def test_a_round_that_takes_too_long_has_failed() -> None:
    assert "the check order failed" in asked(ends(verified_by(a_check()), StepOutcome.TIMED_OUT))


def test_failures_count_in_a_row_and_a_success_between_them_ends_the_row() -> None:
    story = verified_by(a_check(failures=2))
    for outcome in (StepOutcome.FAILED, StepOutcome.SUCCEEDED, StepOutcome.FAILED):
        ends(story, outcome).wait(EVERY)
        assert not asked(story)
    assert not passes(story), "the last round failed"
    assert (
        asked(ends(story, StepOutcome.FAILED)) == "verification failed: the check order failed 2 times in a row: exit 1"
    )


@pytest.mark.parametrize(
    "report",
    [
        a_report(LOST, "the agent is silent"),
        StepReport(StepOutcome.FAILED, None, "the commit has no folder ci", NOON, NOON),
    ],
    ids=["its agent was lost", "it never began"],
)
def test_a_round_that_could_not_run_is_neither_a_pass_nor_a_failure(report: StepReport) -> None:
    story = verified_by(a_check()).step_ends("order", report.outcome, scope="staging", report=report)
    assert not asked(story) and not passes(story)
    assert story.rollout(STAGE_STAGING).lacks == f"the check order could not run: {report.detail}"
    ends(story.wait(EVERY))
    assert passes(story) and story.rollout(STAGE_STAGING).lacks is None


def test_what_could_not_run_between_two_failures_does_not_end_their_row() -> None:
    story = ends(verified_by(a_check(failures=2)), StepOutcome.FAILED).wait(EVERY)
    ends(story, LOST).wait(EVERY)
    assert "2 times in a row" in asked(ends(story, StepOutcome.FAILED))


def test_steps_and_all_checks_have_to_go_well() -> None:
    story = verified_by(a_check(), a_check("pay"), steps=(a_step("smoke"),))
    for name in ("order", "smoke"):
        assert not passes(ends(story, name=name))
    assert passes(ends(story, name="pay"))


def test_of_many_rounds_the_last_are_kept() -> None:
    story = verified_by(a_check())
    for _ in range(KEPT_REPORTS + 5):
        ends(story).wait(EVERY)
    step = story.step("order", "staging")
    assert (len(step.earlier), step.attempt) == (KEPT_REPORTS, KEPT_REPORTS + 6)


def test_rounds_from_before_the_deployment_was_given_its_traffic_again_say_nothing() -> None:
    story = ends(verified_by(a_check())).wait(10 * SECOND)
    assert passes(story)
    story.rollout_is(RolloutState.MOVING, STAGE_STAGING, steps_passed=False)
    story.rollout_is(RolloutState.JUDGING, STAGE_STAGING, step_since=NOON + 10 * SECOND)
    assert state_of(story) is StepState.READY and not passes(story)
    assert story.step("order", "staging").earlier == ()


def test_a_check_that_runs_is_ended_with_the_verification_and_begins_no_more() -> None:
    story = verified_by(a_check()).step_begins("order", "staging").passes(STAGE_STAGING)
    assert story.step("order", "staging").cancel_asked
    ends(story, StepOutcome.CANCELLED).wait(10 * EVERY)
    assert state_of(story) is StepState.CANCELLED


def test_a_cancelled_run_waits_for_its_checks_to_end_and_begins_none() -> None:
    story = verified_by(a_check(), load=LOAD).step_begins("order", "staging").people_say(cancel_asked_by="anna")
    assert story.step("order", "staging").cancel_asked and state_of(story, "load check") is StepState.CANCELLED
    story.goes_back(STAGE_STAGING)
    assert not story.status.is_ended
    assert ends(story, StepOutcome.CANCELLED).status is RunStatus.CANCELLED


def test_nothing_is_checked_where_nothing_is_rolled_out() -> None:
    pipeline = a_pipeline(verify=VerifyRule(checks=(a_check(),), load=LOAD), deploy=None)
    story = a_run_story(pipeline).settle()
    assert story.stage(STAGE_STAGING).state is StageState.PASSED
    assert state_of(story) is state_of(story, "load check") is StepState.CANCELLED


# the load check


def loaded(story: RunStory, report: LoadReport | None, outcome: StepOutcome = StepOutcome.SUCCEEDED) -> RunStory:
    """It ran, and measured this."""
    said = replace(a_report(outcome, "no load tool" if report is None else ""), load=report)
    return story.step_ends("load check", outcome, scope="staging", report=said)


def all_else_is_in(story: RunStory) -> RunStory:
    return story.rollout_is(RolloutState.JUDGING, STAGE_STAGING, load_due_at=NOON + story.now_)


def test_the_load_check_begins_when_all_else_is_in() -> None:
    story = ends(verified_by(a_check(), load=LOAD))
    assert state_of(story, "load check") is StepState.WAITING
    assert state_of(all_else_is_in(story), "load check") is StepState.READY


def test_a_load_check_alone_needs_no_steps() -> None:
    story = verified_by(load=LOAD)
    assert not story.rollout(STAGE_STAGING).needs_steps and story.rollout(STAGE_STAGING).needs_load


def test_a_service_that_holds_too_little_goes_back_for_cause_and_the_record_has_the_figures() -> None:
    story = loaded(all_else_is_in(verified_by(load=LOAD)), a_ramp(*SATURATED))
    assert asked(story).startswith("verification failed: the service held 1.5 times the busiest minute")
    (event,) = (one for one in story.events if one.kind is EventKind.LOAD_CHECKED)
    assert (event.data["verdict"], event.data["multiple"]) == ("fail", 1.5)
    assert isinstance(event.data["steps"], list) and len(event.data["steps"]) == 8


def test_a_service_that_holds_enough_passes_with_its_figures() -> None:
    story = loaded(all_else_is_in(verified_by(load=LOAD)), a_ramp())
    rollout = story.rollout(STAGE_STAGING)
    assert not asked(story) and rollout.load_result is not None
    assert rollout.load_result.multiple == 2.0
    assert rollout.load is not None and rollout.load.ended_at == NOON, "by the server's clock"


@pytest.mark.parametrize(
    ("report", "outcome"),
    [(None, LOST), (None, StepOutcome.FAILED), (None, StepOutcome.TIMED_OUT), (LoadReport((), NOON, NOON, 90), None)],
    ids=["its agent was lost", "there is no tool", "it took too long", "nothing was sent"],
)
def test_a_load_check_that_could_not_be_made_says_nothing_and_is_made_again(
    report: LoadReport | None, outcome: StepOutcome | None
) -> None:
    story = loaded(all_else_is_in(verified_by(load=LOAD)), report, outcome or StepOutcome.SUCCEEDED)
    assert not asked(story) and story.rollout(STAGE_STAGING).load is None
    assert (story.rollout(STAGE_STAGING).lacks or "").startswith("load check: ")
    story.wait(MINUTE)
    assert state_of(story, "load check") is StepState.READY
    assert loaded(story, a_ramp()).rollout(STAGE_STAGING).load is not None


def test_an_agent_that_knows_no_load_checks_is_told_to_be_upgraded() -> None:
    story = all_else_is_in(verified_by(load=LOAD)).step_ends("load check", scope="staging", report=a_report())
    lacks = story.rollout(STAGE_STAGING).lacks
    assert lacks == "load check: its agent is of an earlier version, which makes none; upgrade it"


def test_no_load_comes_to_an_environment_that_has_become_protected() -> None:
    story = verified_by(load=LOAD)
    protected = Environment(story.site(STAGE_STAGING).environment.name, protected=True)
    story.change_site(StageName("staging"), environment=protected)
    all_else_is_in(story)
    assert state_of(story, "load check") is StepState.WAITING
    assert "is protected by now" in (story.rollout(STAGE_STAGING).lacks or "")
