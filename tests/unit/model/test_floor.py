"""What cannot be undone: when its step runs, the floor that it gives the placement, and what does not go below it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    FAIL,
    HOUR,
    NEW,
    NOON,
    OLD,
    PASS,
    STAGE_PRODUCTION,
    STAGE_STAGING,
    a_deployment,
    a_pipeline,
    a_step,
    serving,
)
from tests.unit.model.placement_story import PlacementStory, a_story, an_upgrade
from tests.unit.model.run_story import RunStory, a_run_story

from tidegate.model.event import EventKind
from tidegate.model.ids import RolloutId
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import VerifyRule
from tidegate.model.placement import PlacementFloor
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.rollout_begin import begin_return
from tidegate.model.run import RunStatus, StageState
from tidegate.model.stage_floor import awaits_final_step
from tidegate.model.step_run import StepState

VERIFY = VerifyRule(watch=HOUR)
FLOOR = PlacementFloor(2, "cccccccc", "drop", NOON)
ALERT = Cause("alert SlowShop", True)


def dropping(*steps: str) -> RunStory:
    """A release at staging, whose stage drops something at the end; it has all of the traffic and is judged."""
    drop = replace(a_step("drop", *steps), irreversible=True)
    pipeline = a_pipeline(staging_steps=(*(a_step(name) for name in steps), drop))
    return a_run_story(pipeline).settle().reaches_the_whole(STAGE_STAGING)


# the step


def test_a_step_that_cannot_be_undone_begins_when_all_else_has_passed() -> None:
    story = dropping("smoke")
    assert story.step("drop", "staging").state is StepState.WAITING
    story.step_ends("smoke", scope="staging")
    assert story.rollout(STAGE_STAGING).steps_passed, "the rollout does not wait for what comes after it"
    assert story.step("drop", "staging").state is StepState.WAITING
    assert story.site(STAGE_STAGING).placement.floor is None
    story.passes(STAGE_STAGING)
    assert story.step("drop", "staging").state is StepState.READY
    assert story.stage(STAGE_STAGING).state is StageState.WORKING
    floor = story.site(STAGE_STAGING).placement.floor
    assert floor is not None
    assert (floor.order, floor.label, floor.step) == (2, story.run.label, "drop")
    assert len(story.said(EventKind.FLOOR_SET)) == 1
    story.step_ends("drop", scope="staging")
    assert story.stage(STAGE_STAGING).state is StageState.PASSED


def test_without_other_steps_the_rollout_passes_by_its_verification_alone() -> None:
    story = dropping()
    assert not story.rollout(STAGE_STAGING).needs_steps
    story.passes(STAGE_STAGING)
    assert story.step("drop", "staging").state is StepState.READY


def test_a_release_that_goes_back_before_sets_no_floor() -> None:
    story = dropping("smoke").step_ends("smoke", StepOutcome.FAILED, scope="staging")
    assert story.rollout(STAGE_STAGING).rollback_asked
    story.goes_back(STAGE_STAGING)
    assert story.step("drop", "staging").state.is_ended
    assert story.site(STAGE_STAGING).placement.floor is None


def test_a_release_that_is_to_go_back_begins_nothing_that_cannot_be_undone() -> None:
    """Harm was found at a floor that an earlier release had set."""
    story = dropping("smoke").step_ends("smoke", scope="staging")
    story.rollout_is(RolloutState.WATCHING, STAGE_STAGING, passed_at=NOON, held_at_floor=ALERT)
    assert story.step("drop", "staging").state is StepState.CANCELLED
    stage = story.stage(STAGE_STAGING)
    assert (stage.state, stage.because) == (StageState.FAILED, "it should have gone back and cannot: alert SlowShop")


def test_a_release_that_a_person_takes_back_begins_nothing_that_cannot_be_undone() -> None:
    """It was asked before anybody looked at the run, and after the rollout had passed."""
    story = dropping("smoke").step_ends("smoke", scope="staging")
    story.rollout_is(RolloutState.WATCHING, STAGE_STAGING, passed_at=NOON, rollback_asked=ALERT)
    assert story.step("drop", "staging").state is StepState.WAITING
    story.goes_back(STAGE_STAGING)
    assert story.step("drop", "staging").state is StepState.CANCELLED
    assert story.site(STAGE_STAGING).placement.floor is None


def test_nothing_begins_where_another_has_yet_to_begin_what_cannot_be_undone() -> None:
    story = a_run_story(by_person=True, order=1).change_site(STAGE_STAGING, final_step_of="7").settle()
    gate = story.stage(STAGE_STAGING).gate
    assert gate is not None and [one.rule for one in gate.blocking] == ["placement"]
    assert "run 7 has passed there, and has yet to begin what cannot be undone" in gate.blocking[0].text
    story.change_site(STAGE_STAGING, final_step_of=None).settle()
    assert story.stage(STAGE_STAGING).state is StageState.WORKING


@pytest.mark.parametrize(
    ("state", "changes", "awaits"),
    [
        (RolloutState.JUDGING, {}, False),
        (RolloutState.WATCHING, {}, True),
        (RolloutState.SUCCEEDED, {}, True),
        (RolloutState.WATCHING, {"held_at_floor": ALERT}, False),
        (RolloutState.WATCHING, {"stage": STAGE_PRODUCTION}, False),
    ],
)
def test_a_rollout_awaits_its_final_step_from_when_it_has_passed(
    state: RolloutState, changes: dict[str, object], awaits: bool
) -> None:
    story = dropping("smoke")
    rollout = replace(story.rollout(STAGE_STAGING), state=state, **changes)  # type: ignore[arg-type]
    assert awaits_final_step(story.state.steps, rollout) == awaits


def test_a_final_step_that_has_begun_is_awaited_no_more() -> None:
    story = dropping("smoke").step_ends("smoke", scope="staging").passes(STAGE_STAGING)
    assert story.step("drop", "staging").state is StepState.READY
    assert not awaits_final_step(story.state.steps, story.rollout(STAGE_STAGING))


def test_the_floor_of_a_newer_release_stays() -> None:
    story = dropping("smoke").step_ends("smoke", scope="staging")
    placement = replace(story.site(STAGE_STAGING).placement, floor=replace(FLOOR, order=9))
    story.change_site(STAGE_STAGING, placement=placement).passes(STAGE_STAGING)
    assert story.site(STAGE_STAGING).placement.floor == replace(FLOOR, order=9)


def test_a_step_that_cannot_be_undone_and_fails_opens_the_incident_and_fails_the_stage() -> None:
    story = dropping("smoke").step_ends("smoke", scope="staging").passes(STAGE_STAGING)
    story.step_ends("drop", StepOutcome.FAILED, scope="staging")
    asked = story.rollout(STAGE_STAGING).rollback_asked
    assert asked and asked.text == "step drop failed"
    assert story.stage(STAGE_STAGING).state is StageState.WORKING
    story.rollout_is(RolloutState.WATCHING, STAGE_STAGING, rollback_asked=None, held_at_floor=asked)
    assert (story.stage(STAGE_STAGING).state, story.status) == (StageState.FAILED, RunStatus.FAILED)


def test_harm_that_cannot_go_back_closes_the_gates_after_it() -> None:
    story = dropping("smoke").step_ends("smoke", scope="staging").passes(STAGE_STAGING)
    story.step_ends("drop", scope="staging").rollout_is(RolloutState.WATCHING, STAGE_STAGING, held_at_floor=ALERT)
    assert story.stage(STAGE_PRODUCTION).state is StageState.CANCELLED
    assert "should have gone back and cannot: alert SlowShop" in (story.stage(STAGE_PRODUCTION).because or "")


def test_what_is_older_waits_at_the_gate_whoever_asks_and_breaks_the_glass() -> None:
    story = a_run_story(by_person=True, order=1)
    placement = replace(story.site(STAGE_STAGING).placement, floor=FLOOR)
    story.change_site(STAGE_STAGING, placement=placement).settle()
    gate = story.stage(STAGE_STAGING).gate
    assert gate is not None
    assert [(one.rule, one.remedy) for one in gate.blocking] == [
        ("floor", "tidegate floor shop --env staging --lift --reason …")
    ]


# the rollback


def watched() -> PlacementStory:
    """A release that has passed, and after it something that cannot be undone was done."""
    story = an_upgrade(BLUE_GREEN, VERIFY).settle().hear(PASS)
    assert story.rollout.state is RolloutState.WATCHING
    story.state = replace(story.state, placement=replace(story.placement, floor=FLOOR))
    return story.settle()


def is_held(story: PlacementStory, because: str) -> bool:
    """Whether the new deployment serves on, its incident is open, and once it was said why."""
    (incident,) = story.incidents.values()
    (said,) = story.said(EventKind.ROLLBACK_HELD)
    assert because in said and "tidegate floor shop --env production --lift" in said
    assert not story.deployment(NEW).is_quarantined
    return incident.is_open and story.shares == {NEW: "100%"} and not story.said(EventKind.ROLLBACK_DECIDED)


def test_harm_that_is_found_below_the_floor_is_held_and_said_once() -> None:
    story = watched().hear(FAIL).hear(FAIL).hear(FAIL)
    assert is_held(story, "verification failed")
    assert story.rollout.state is RolloutState.WATCHING
    assert len(story.said(EventKind.VERDICT)) == 1
    story.state = replace(story.state, run_open=False)
    assert story.wait(2 * HOUR).rollout.state is RolloutState.SUCCEEDED
    assert is_held(story, "verification failed"), "its incident is still open"


@pytest.mark.parametrize("cause", [ALERT, Cause("rolled back by anna", True, ANNA)])
def test_nobodys_word_takes_a_placement_below_its_floor(cause: Cause) -> None:
    story = watched().people_say(rollback_asked=cause)
    assert is_held(story, cause.text)
    assert story.rollout.held_at_floor == cause
    assert story.rollout.rollback_asked is None


def test_a_rollback_of_a_placement_at_rest_ends_held_below_the_floor() -> None:
    back_to = a_deployment(OLD, instances=2, installed=0, order=1)
    placement = replace(serving(NEW), floor=FLOOR)
    cause = Cause("rolled back by anna", True, ANNA)
    rollout, placement = begin_return(RolloutId("01R"), placement, back_to, cause, NOON)
    story = a_story(placement, [a_deployment(NEW, installed=2), back_to], rollout).settle()
    assert story.rollout.state is RolloutState.HELD
    assert story.placement.serving == NEW
    assert [one.is_open for one in story.incidents.values()] == [True]


def test_a_person_may_stop_a_service_all_the_same() -> None:
    story = watched().people_say(rollback_asked=Cause("stopped by anna", False, ANNA), old=None)
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert story.placement.serving is None


def test_a_newer_release_goes_back_to_the_floor_as_ever() -> None:
    story = an_upgrade(BLUE_GREEN, VERIFY).settle()
    floor = replace(FLOOR, order=story.deployment(OLD).order)
    story.state = replace(story.state, placement=replace(story.placement, floor=floor))
    story.hear(FAIL)
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert story.shares == {OLD: "100%"}


def test_once_the_floor_is_lifted_harm_that_is_still_there_goes_back_by_itself() -> None:
    story = watched().hear(FAIL)
    story.state = replace(story.state, placement=replace(story.placement, floor=None))
    story.people_say(held_at_floor=None).hear(FAIL)
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert story.shares == {OLD: "100%"}
