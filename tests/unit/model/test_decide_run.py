"""A run's way: it builds once, becomes a release, passes its stages one after another, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    ANNA,
    BEN,
    DAY,
    HOUR,
    NOON,
    STAGE_PRODUCTION,
    STAGE_STAGING,
    a_pipeline,
    a_proven_pipeline,
    a_report,
    a_step,
    an_approval,
)
from tests.unit.model.run_story import RunStory, a_run_story

from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.gate_rules import ApprovalRule
from tidegate.model.ids import Digest, StepName
from tidegate.model.lease import BuiltFile, StepOutcome, TestReport
from tidegate.model.origin import Origin
from tidegate.model.pipeline import Build, Mode, RetryCause
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.model.step_run import StepRun, StepState

TWO_STEPS = a_pipeline(build=(a_step("test"), a_step("package", "test")))


def at_the_production_gate(**pipeline: ApprovalRule) -> RunStory:
    """Staging passed; production waits for a person."""
    return a_run_story(a_pipeline(approvals=pipeline.get("approvals"))).settle().passes(STAGE_STAGING)


def in_production() -> RunStory:
    return at_the_production_gate().answer(an_approval(ANNA))


# the build


def test_steps_become_ready_one_after_another_and_each_is_told() -> None:
    story = a_run_story(TWO_STEPS).settle()
    assert (story.step("test").state, story.step("package").state) == (StepState.READY, StepState.WAITING)
    story.step_ends("test")
    assert story.step("package").state is StepState.READY
    assert story.said(EventKind.STEP_READY) == ["build: test is ready", "build: package is ready"]


def test_no_stage_begins_before_the_build_has_ended() -> None:
    story = a_run_story(TWO_STEPS).settle().step_ends("test")
    assert story.state.release is None
    assert story.stage(STAGE_STAGING).state is StageState.PENDING


def test_a_successful_build_is_a_release_once() -> None:
    story = a_run_story(TWO_STEPS).settle().step_ends("test").step_ends("package")
    assert story.run.release == "01RELEASE"
    assert story.said(EventKind.RELEASE_CREATED) == ["cccccccc is built: Sell more"]
    story.state = replace(story.state, new_release=type(story.state.new_release)("01ANOTHER"))
    story.settle()
    assert story.run.release == "01RELEASE"


def test_the_release_keeps_what_the_steps_reported() -> None:
    built = BuiltFile("shop", "shop.whl", Digest("sha256:" + "a" * 64), 10)
    tested = replace(a_report(), tests=TestReport(20, 0, 2), line_coverage=91.0)
    packaged = replace(a_report(), artifacts=(built,), tests=TestReport(3, 1, 0), line_coverage=84.5)
    story = a_run_story(TWO_STEPS).settle().step_ends("test", report=tested).step_ends("package", report=packaged)
    release = story.state.release
    assert release is not None
    assert release.artifacts == (built,)
    assert release.tests == TestReport(23, 1, 2)
    assert release.line_coverage == 84.5
    assert (release.order, release.created_at) == (2, NOON)


def test_the_record_of_a_release_holds_digests_and_where_they_come_from() -> None:
    built = BuiltFile("shop", "shop.whl", Digest("sha256:" + "a" * 64), 10)
    story = a_run_story(TWO_STEPS).settle().step_ends("test")
    story.step_ends("package", report=replace(a_report(), artifacts=(built,)))
    release = story.state.release
    assert release is not None
    assert release.origin_of("shop") == Origin("shop", StepName("package"), ())
    (event,) = [one for one in story.events if one.kind is EventKind.RELEASE_CREATED]
    assert event.data == {
        "author": "Anna <anna@example.org>",
        "tests": None,
        "line_coverage": None,
        "artifacts": {"shop": built.digest},
        "origins": [{"artifact": "shop", "step": "package", "given": ()}],
    }


def test_evidence_that_no_step_reported_is_missing_and_not_zero() -> None:
    story = a_run_story(TWO_STEPS).settle().step_ends("test").step_ends("package")
    release = story.state.release
    assert release is not None
    assert (release.tests, release.line_coverage) == (None, None)


def test_a_failed_build_ends_the_run_and_names_step_and_log() -> None:
    story = a_run_story(TWO_STEPS).settle().step_ends("test", StepOutcome.FAILED)
    assert story.status is RunStatus.FAILED
    assert story.step("package").state is StepState.SKIPPED
    (reason,) = story.run.because
    assert reason.text == "build: test failed: exit 1"
    assert reason.remedy == "tidegate logs 01RUN"
    assert {stage.state for stage in story.state.stages} == {StageState.CANCELLED}
    assert story.state.release is None


def test_a_build_waits_for_the_steps_that_still_run_before_it_fails() -> None:
    story = a_run_story(a_pipeline(build=(a_step("test"), a_step("lint")))).settle()
    story.step_begins("lint").step_ends("test", StepOutcome.FAILED)
    assert story.status is RunStatus.RUNNING
    assert story.step_ends("lint").status is RunStatus.FAILED


def test_a_lost_step_is_tried_again_and_told_where_the_file_says_so() -> None:
    step = a_step("test", attempts=2, causes=(RetryCause.LOST,))
    story = a_run_story(a_pipeline(build=(step,))).settle().step_ends("test", StepOutcome.LOST)
    assert (story.step("test").state, story.step("test").attempt) == (StepState.READY, 2)
    assert len(story.said(EventKind.STEP_READY)) == 2
    assert story.step_ends("test", StepOutcome.LOST).status is RunStatus.FAILED


# from stage to stage


def test_a_stage_waits_for_the_stages_that_it_needs() -> None:
    story = a_run_story().settle()
    assert story.stage(STAGE_STAGING).state is StageState.WORKING
    assert story.stage(STAGE_PRODUCTION).state is StageState.PENDING


def test_after_staging_the_run_waits_at_the_production_gate_and_says_for_whom() -> None:
    story = at_the_production_gate()
    assert story.stage(STAGE_STAGING).state is StageState.PASSED
    assert story.stage(STAGE_PRODUCTION).state is StageState.GATE
    assert story.status is RunStatus.WAITING
    assert story.why().startswith("0 of 1 approvals")
    assert story.run.because[0].remedy == "tidegate approve 01RUN"


def test_a_run_whose_last_stage_passed_has_succeeded() -> None:
    story = in_production().passes()
    assert story.status is RunStatus.SUCCEEDED
    assert story.run.ended_at == NOON
    assert story.why() == "every stage passed"


def test_a_run_ends_when_its_gate_is_rejected() -> None:
    story = at_the_production_gate().answer(an_approval(BEN, Answer.REJECTED, comment="not on a Friday"))
    assert story.status is RunStatus.REJECTED
    assert story.stage(STAGE_PRODUCTION).state is StageState.REJECTED
    assert "rejected by ben: not on a Friday" in story.why()


def test_a_run_ends_when_a_newer_one_waits_at_its_gate() -> None:
    story = at_the_production_gate().change_site(newer_waiting="dddddddd (run 01NEXT)").settle()
    assert story.status is RunStatus.SUPERSEDED
    assert "superseded by dddddddd" in story.why()


def test_a_run_that_has_begun_to_roll_out_is_not_superseded() -> None:
    story = in_production().change_site(newer_waiting="dddddddd (run 01NEXT)").settle()
    assert story.stage(STAGE_PRODUCTION).state is StageState.WORKING
    assert story.passes().status is RunStatus.SUCCEEDED


def test_a_run_ends_rolled_back_when_its_rollout_is_back_and_not_before() -> None:
    story = in_production().begins_to_go_back(STAGE_PRODUCTION)
    assert not story.status.is_ended
    story.rollout_is(RolloutState.ROLLED_BACK)
    assert story.status is RunStatus.ROLLED_BACK
    assert story.why() == "production: 12% of its requests failed"


def test_an_approval_that_expires_at_an_open_question_is_looked_at_in_time() -> None:
    story = at_the_production_gate(approvals=ApprovalRule(2, DAY)).answer(an_approval(ANNA))
    assert story.run.wake_at == NOON + DAY
    story.wait(DAY)
    assert story.why().startswith("0 of 2 approvals")


def test_a_run_that_has_ended_stays_as_it_is() -> None:
    story = a_run_story(TWO_STEPS).settle().step_ends("test", StepOutcome.FAILED)
    told = len(story.events)
    story.people_say(cancel_asked_by="anna").answer(an_approval(ANNA)).wait(DAY)
    assert story.status is RunStatus.FAILED
    assert len(story.events) == told


def test_a_run_whose_file_could_not_be_read_does_nothing_by_itself() -> None:
    story = a_run_story()
    story.state = replace(story.state, run=replace(story.run, pipeline=None))
    decision = story.decide()
    assert (decision.changes, decision.events) == ((), ())


# harm after a stage passed


def test_a_breach_in_staging_closes_the_production_gate_while_a_person_is_waited_for() -> None:
    story = at_the_production_gate().begins_to_go_back(STAGE_STAGING, text="it crashed")
    assert story.stage(STAGE_PRODUCTION).state is StageState.CANCELLED
    assert story.stage(STAGE_STAGING).state is StageState.ROLLED_BACK
    assert not story.status.is_ended, "staging is still on its way back"
    story.answer(an_approval(ANNA))
    assert STAGE_PRODUCTION not in story.state.rollouts, "nothing went to production"
    assert story.rollout_is(RolloutState.ROLLED_BACK, STAGE_STAGING).status is RunStatus.ROLLED_BACK


@pytest.mark.parametrize("for_cause", [True, False])
def test_a_breach_in_staging_and_a_yes_at_the_same_moment_bring_nothing_to_production(for_cause: bool) -> None:
    story = at_the_production_gate()
    story.state = replace(story.state, approvals=(an_approval(ANNA),))
    story.begins_to_go_back(STAGE_STAGING, for_cause=for_cause)
    assert STAGE_PRODUCTION not in story.state.rollouts


def test_a_breach_in_staging_does_not_end_the_run_while_production_rolls_out() -> None:
    story = in_production().goes_back(STAGE_STAGING)
    assert not story.status.is_ended
    assert story.stage(STAGE_PRODUCTION).state is StageState.WORKING
    assert story.passes().status is RunStatus.ROLLED_BACK


def test_a_run_that_had_succeeded_is_rolled_back_when_the_watch_finds_harm() -> None:
    story = in_production().passes()
    story.goes_back()
    assert story.status is RunStatus.ROLLED_BACK
    assert story.stage(STAGE_PRODUCTION).state is StageState.ROLLED_BACK
    assert len(story.said(EventKind.RUN_ENDED)) == 2


def test_harm_that_the_watch_finds_later_does_not_change_how_a_cancelled_run_ended() -> None:
    story = at_the_production_gate().people_say(cancel_asked_by="anna").goes_back(STAGE_STAGING)
    assert story.status is RunStatus.CANCELLED
    assert len(story.said(EventKind.RUN_ENDED)) == 1


# cancelling


def test_a_cancel_during_the_build_stops_what_runs_and_ends_when_all_is_quiet() -> None:
    story = a_run_story(TWO_STEPS).settle().step_begins("test").people_say(cancel_asked_by="anna")
    assert story.step("test").cancel_asked
    assert story.step("package").state is StepState.CANCELLED
    assert not story.status.is_ended
    story.step_ends("test", StepOutcome.CANCELLED)
    assert story.status is RunStatus.CANCELLED
    assert story.why() == "cancelled by anna"


def test_a_cancel_at_a_gate_ends_the_run_at_once() -> None:
    story = at_the_production_gate().people_say(cancel_asked_by="anna")
    assert story.status is RunStatus.CANCELLED
    assert story.stage(STAGE_PRODUCTION).because == "cancelled by anna"


def test_a_cancel_during_a_rollout_goes_back_but_not_for_cause_and_waits_until_it_is_back() -> None:
    story = in_production().people_say(cancel_asked_by="anna")
    asked = story.rollout().rollback_asked
    assert asked is not None
    assert (asked.text, asked.for_cause) == ("cancelled by anna", False)
    assert not story.status.is_ended
    story.rollout_is(RolloutState.RETURNING)
    assert not story.status.is_ended
    assert story.rollout_is(RolloutState.ROLLED_BACK, cause=asked).status is RunStatus.CANCELLED


def test_a_cancel_does_not_overwrite_the_cause_for_which_it_already_goes_back() -> None:
    story = a_run_story(a_pipeline(staging_steps=(a_step("smoke"),))).settle().reaches_the_whole(STAGE_STAGING)
    story.step_ends("smoke", StepOutcome.FAILED, scope="staging").people_say(cancel_asked_by="anna")
    asked = story.rollout(STAGE_STAGING).rollback_asked
    assert asked is not None
    assert (asked.text, asked.for_cause) == ("step smoke failed", True)


def test_a_cancel_leaves_alone_what_an_earlier_stage_already_proved() -> None:
    story = at_the_production_gate().people_say(cancel_asked_by="anna")
    assert story.stage(STAGE_STAGING).state is StageState.PASSED
    assert story.rollout(STAGE_STAGING).rollback_asked is None


# the same again


@pytest.mark.parametrize("moment", range(6))
def test_looking_at_a_run_twice_changes_nothing(moment: int) -> None:
    story = a_run_story(TWO_STEPS).settle()
    acts: list[Callable[[], object]] = [
        lambda: story.step_ends("test"),
        lambda: story.step_ends("package"),
        lambda: story.passes(STAGE_STAGING),
        lambda: story.answer(an_approval(ANNA)),
        story.passes,
    ]
    for act in acts[:moment]:
        act()
    story.now_ += timedelta(seconds=1)
    again = story.decide()
    assert (again.changes, again.events) == ((), ())


def test_one_open_gate_begins_one_rollout_however_often_it_is_looked_at() -> None:
    story = in_production().settle().wait(HOUR).settle()
    assert len(story.said(EventKind.ROLLOUT_BEGAN)) == 2
    assert [text for text in story.said(EventKind.STAGE_BEGAN) if "production" in text] == [
        "production begins: approved by anna"
    ]


def test_what_a_gate_says_is_recorded_when_it_changes_and_not_at_every_look() -> None:
    story = at_the_production_gate(approvals=ApprovalRule(2)).settle().wait(HOUR).wait(HOUR)
    told = [text for text in story.said(EventKind.GATE_DECIDED) if "production" in text]
    assert len(told) == 1
    story.answer(an_approval(ANNA, at=NOON + 2 * HOUR))
    assert len([text for text in story.said(EventKind.GATE_DECIDED) if "production" in text]) == 2


def test_in_deployment_mode_a_run_goes_to_the_end_without_a_person() -> None:
    story = a_run_story(a_proven_pipeline()).change_service(grant=Mode.DEPLOYMENT).settle().step_ends("unit tests")
    assert story.passes(STAGE_STAGING).passes().status is RunStatus.SUCCEEDED
    assert story.stage(STAGE_PRODUCTION).opened_by == "policy: mode: deployment is wished and granted"


def test_a_granted_mode_opens_nothing_while_its_foundation_lacks_something() -> None:
    pipeline = replace(a_proven_pipeline(), build=Build(()))
    story = a_run_story(pipeline).change_service(grant=Mode.DEPLOYMENT).settle().passes(STAGE_STAGING)
    assert story.stage(STAGE_PRODUCTION).state is StageState.GATE
    assert "no step of the build runs automated tests" in story.why()


def test_only_where_steps_wait_for_an_agent_now_is_there_no_need_to_look_again() -> None:
    story = a_run_story(TWO_STEPS)
    ready = story.decide()
    (step,) = ready.changes
    assert isinstance(step, StepRun)
    assert ready.is_settled
    assert not replace(ready, changes=(replace(step, state=StepState.SUCCEEDED),)).is_settled, "another may follow"
    assert not replace(ready, changes=(step, story.run)).is_settled
