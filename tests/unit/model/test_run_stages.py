"""A stage: its gate, its work, and what its rollout came to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    NOON,
    STAGE_PRODUCTION,
    STAGE_STAGING,
    STAGING,
    a_canary,
    a_deployment,
    a_pipeline,
    a_release,
    a_rollout,
    a_step,
    an_approval,
)
from tests.unit.model.run_story import RunStory, a_run_story

from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.floor import Floor
from tidegate.model.gate import GateState
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import ReleaseId, RolloutId, RunId
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import ApprovalPoint, Mode
from tidegate.model.rollout import RolloutState
from tidegate.model.rollout_begin import deployment_for
from tidegate.model.run import RunStatus, StageState
from tidegate.model.step_run import StepState

SMOKE = a_step("smoke")


def blocking(story: RunStory, rule: str) -> str:
    gate = story.stage(STAGE_PRODUCTION).gate
    assert gate is not None and gate.state is not GateState.OPEN
    return next(reason.text for reason in gate.blocking if reason.rule == rule)


def with_smoke(deploy: bool = True) -> RunStory:
    pipeline = a_pipeline(staging_steps=(SMOKE,), deploy=BLUE_GREEN if deploy else None)
    return a_run_story(pipeline).settle()


def at_the_production_gate() -> RunStory:
    return a_run_story().settle().passes(STAGE_STAGING)


def moving(story: RunStory, state: RolloutState) -> RunStory:
    """Another run has the production placement."""
    other = replace(a_rollout(BLUE_GREEN), id=RolloutId("01OTHER"), run=RunId("01BEFORE"), state=state)
    return story.change_site(owner=other)


# the gate


def test_an_open_gate_begins_a_rollout_that_names_who_opened_it() -> None:
    story = at_the_production_gate().answer(an_approval(ANNA))
    stage, rollout = story.stage(STAGE_PRODUCTION), story.rollout(STAGE_PRODUCTION)
    assert (stage.state, stage.opened_by, stage.rollout) == (StageState.WORKING, "approved by anna", rollout.id)
    assert (rollout.opened_by, rollout.stage, rollout.run) == ("approved by anna", STAGE_PRODUCTION, story.run.id)
    assert story.site(STAGE_PRODUCTION).placement.rollout == rollout.id


def test_the_record_of_an_open_gate_names_release_stage_and_every_rule() -> None:
    story = at_the_production_gate().answer(an_approval(ANNA))
    recorded = [event for event in story.events if event.kind is EventKind.GATE_DECIDED][-1]
    assert recorded.data["state"] == "open"
    assert recorded.about["release"] == "01RELEASE"
    assert recorded.about["stage"] == "production"
    because = recorded.data["because"]
    assert isinstance(because, list)
    assert "approvals: 1 of 1 approvals: anna" in because


def test_an_approval_of_one_stage_opens_no_other() -> None:
    story = at_the_production_gate().answer(an_approval(ANNA, stage=STAGE_STAGING))
    assert story.stage(STAGE_PRODUCTION).state is StageState.GATE


def test_an_approval_between_two_shares_opens_no_gate() -> None:
    story = at_the_production_gate().answer(an_approval(ANNA, point=1))
    assert story.stage(STAGE_PRODUCTION).state is StageState.GATE


def test_a_yes_that_was_given_before_the_gate_was_reached_counts_there() -> None:
    story = a_run_story().settle().answer(an_approval(ANNA)).passes(STAGE_STAGING)
    assert story.stage(STAGE_PRODUCTION).state is StageState.WORKING


@pytest.mark.parametrize(("field", "rule"), [("paused_because", "pause"), ("line_stopped_because", "line")])
def test_a_paused_service_and_a_stopped_line_keep_an_approved_release_out_until_a_person_says_go(
    field: str, rule: str
) -> None:
    story = at_the_production_gate().change_service(**{field: "a person has to look"})
    story.answer(an_approval(ANNA))
    assert "a person has to look" in blocking(story, rule)
    story.change_service(**{field: None}).settle()
    assert story.stage(STAGE_PRODUCTION).state is StageState.WORKING


def test_a_stopped_line_lets_a_fix_into_staging() -> None:
    story = a_run_story().change_service(line_stopped_because="2 rollbacks in a row").settle()
    assert story.stage(STAGE_STAGING).state is StageState.WORKING


def test_a_held_run_goes_no_further_until_it_is_resumed() -> None:
    story = at_the_production_gate().people_say(held_by="ben")
    story.answer(an_approval(ANNA))
    assert blocking(story, "hold") == "held by ben"
    assert story.people_say(held_by=None).stage(STAGE_PRODUCTION).state is StageState.WORKING


def test_the_steps_of_a_stage_whose_gate_closes_for_good_never_run() -> None:
    story = a_run_story(a_pipeline(production_steps=(SMOKE,))).settle().passes(STAGE_STAGING)
    story.answer(an_approval(ANNA, Answer.REJECTED))
    assert story.stage(STAGE_PRODUCTION).state is StageState.REJECTED
    assert story.step("smoke", STAGE_PRODUCTION).state is StepState.CANCELLED


# never mixed with a third


@pytest.mark.parametrize(
    "state", [RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING, RolloutState.RETURNING]
)
def test_a_release_waits_while_another_rolls_out_or_goes_back_there(state: RolloutState) -> None:
    story = moving(at_the_production_gate(), state).answer(an_approval(ANNA))
    assert blocking(story, "placement") == f"shop/production is moving: run 01BEFORE is {state} there"


def test_a_release_that_is_only_watched_gives_way_and_its_rollout_has_succeeded() -> None:
    story = moving(at_the_production_gate(), RolloutState.WATCHING).answer(an_approval(ANNA))
    assert story.stage(STAGE_PRODUCTION).state is StageState.WORKING
    (given_way,) = [one for one in story.saved if getattr(one, "id", None) == "01OTHER"]
    assert getattr(given_way, "state", None) is RolloutState.SUCCEEDED
    (said,) = [event for event in story.events if event.kind is EventKind.ROLLOUT_ENDED]
    assert (said.about["rollout"], said.about["run"]) == ("01OTHER", "01BEFORE")


def test_an_older_release_that_only_the_placement_keeps_out_goes_first() -> None:
    story = at_the_production_gate().change_site(older_ready="run 01BEFORE").answer(an_approval(ANNA))
    assert blocking(story, "placement").endswith("so it goes first")


def test_a_release_that_is_not_newer_than_what_was_deployed_does_not_come_by_itself() -> None:
    story = a_run_story(order=1).settle()
    assert story.status is RunStatus.SUPERSEDED
    assert story.state.rollouts == {}


def test_a_person_may_bring_back_an_older_release() -> None:
    assert a_run_story(order=1, by_person=True).settle().stage(STAGE_STAGING).state is StageState.WORKING


# what is already there


def known_in_staging(story: RunStory, **changes: object) -> RunStory:
    """Staging has had exactly this release before."""
    site = story.site(STAGE_STAGING)
    pipeline = story.run.pipeline
    assert pipeline is not None
    name = deployment_for(a_release(pipeline), site.placement)
    known = replace(a_deployment(), id=name, placement=site.placement.id, release=ReleaseId("01RELEASE"))
    known = replace(known, **changes)  # type: ignore[arg-type]
    return story.change_site(STAGE_STAGING, deployments={**site.deployments, name: known})


def test_nothing_automatic_deploys_a_quarantined_deployment_again() -> None:
    story = known_in_staging(a_run_story(), quarantined_at=NOON, quarantined_because="it crashed").settle()
    assert story.stage(STAGE_STAGING).state is StageState.FAILED
    assert "quarantined: it crashed" in story.why()
    assert story.state.rollouts == {}


def test_a_person_can_deploy_a_quarantined_deployment_and_the_record_says_so() -> None:
    story = known_in_staging(a_run_story(by_person=True), quarantined_at=NOON, quarantined_because="it crashed")
    story.settle()
    assert story.stage(STAGE_STAGING).state is StageState.WORKING
    assert story.said(EventKind.DEPLOYMENT_RELEASED) == ["cccccccc is no longer quarantined: a person asked for it"]


def test_a_stage_whose_deployment_already_serves_moves_nothing_and_passes() -> None:
    story = known_in_staging(a_run_story())
    pipeline = story.run.pipeline
    assert pipeline is not None
    story._serves(STAGE_STAGING, deployment_for(a_release(pipeline), story.site(STAGE_STAGING).placement))
    story.settle()
    assert story.stage(STAGE_STAGING).state is StageState.PASSED
    assert STAGE_STAGING not in story.state.rollouts


def test_a_first_release_needs_no_older_one() -> None:
    story = a_run_story(serves=False).settle()
    assert story.rollout(STAGE_STAGING).old is None


# its steps


def test_a_stages_steps_begin_only_when_its_deployment_has_all_of_the_traffic() -> None:
    story = with_smoke()
    assert story.step("smoke", "staging").state is StepState.WAITING
    story.rollout_is(RolloutState.MOVING, STAGE_STAGING)
    assert story.step("smoke", "staging").state is StepState.WAITING
    assert story.reaches_the_whole(STAGE_STAGING).step("smoke", "staging").state is StepState.READY


def test_a_stages_steps_that_succeed_let_its_rollout_pass() -> None:
    story = with_smoke().reaches_the_whole(STAGE_STAGING)
    assert story.rollout(STAGE_STAGING).needs_steps
    story.step_ends("smoke", scope="staging")
    assert story.rollout(STAGE_STAGING).steps_passed
    assert story.stage(STAGE_STAGING).state is StageState.WORKING
    assert story.passes(STAGE_STAGING).stage(STAGE_STAGING).state is StageState.PASSED


def test_a_stages_step_that_fails_takes_its_deployment_back_for_cause() -> None:
    story = with_smoke().reaches_the_whole(STAGE_STAGING).step_ends("smoke", StepOutcome.FAILED, scope="staging")
    asked = story.rollout(STAGE_STAGING).rollback_asked
    assert asked is not None
    assert (asked.text, asked.for_cause) == ("step smoke failed", True)
    assert story.goes_back(STAGE_STAGING, text=asked.text).status is RunStatus.ROLLED_BACK


@pytest.mark.parametrize("ends_by", ["a rollback", "a promotion"])
def test_steps_that_still_run_are_stopped_when_the_rollout_is_over(ends_by: str) -> None:
    story = with_smoke().reaches_the_whole(STAGE_STAGING).step_begins("smoke", "staging")
    if ends_by == "a rollback":
        story.begins_to_go_back(STAGE_STAGING)
    else:
        story.passes(STAGE_STAGING)
    assert story.step("smoke", "staging").cancel_asked


def test_a_stage_that_deploys_nothing_runs_its_steps_at_once() -> None:
    story = with_smoke(deploy=False)
    assert STAGE_STAGING not in story.state.rollouts
    assert story.step_ends("smoke", scope="staging").stage(STAGE_STAGING).state is StageState.PASSED


def test_a_stage_that_deploys_nothing_fails_with_its_steps() -> None:
    story = with_smoke(deploy=False).step_ends("smoke", StepOutcome.TIMED_OUT, scope="staging")
    assert story.stage(STAGE_STAGING).state is StageState.FAILED
    assert story.status is RunStatus.FAILED
    assert story.why() == "staging: step smoke timed out"


# people before the first share


def test_who_is_to_be_asked_before_the_first_share_is_asked_at_the_gate_in_deployment_mode_too() -> None:
    pipeline = a_pipeline(deploy=a_canary(ApprovalPoint(1), 5, 50), mode=Mode.DEPLOYMENT)
    story = a_run_story(pipeline).change_service(grant=Mode.DEPLOYMENT).settle()
    assert story.stage(STAGE_STAGING).state is StageState.GATE
    assert story.why().startswith("0 of 1 approvals")


def test_a_first_release_has_no_share_before_which_people_would_be_asked() -> None:
    pipeline = a_pipeline(deploy=a_canary(ApprovalPoint(1), 5, 50))
    story = a_run_story(pipeline, serves=False).settle()
    assert story.stage(STAGE_STAGING).state is StageState.WORKING


# what the server demands


def test_what_passed_just_now_has_passed_for_a_gate_that_demands_it() -> None:
    story = a_run_story(a_pipeline()).settle()
    site = story.site()
    demands = Floor(GateRules(source="environment production"), must_have_passed=(STAGING,))
    floored = replace(site, environment=replace(site.environment, floors=(demands,)))
    story.state = replace(story.state, sites={**story.state.sites, STAGE_PRODUCTION: floored})
    story.passes(STAGE_STAGING)
    assert story.stage().state is StageState.GATE
    assert story.why().startswith("0 of 1 approvals")
    assert not [text for text in story.said(EventKind.GATE_DECIDED) if "did not" in text]
