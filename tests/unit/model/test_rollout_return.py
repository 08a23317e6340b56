"""A rollout on its way back: traffic first, then everything else, and the record of why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    FAIL,
    HOUR,
    MINUTE,
    NEW,
    NOON,
    OLD,
    OLDER,
    PASS,
    ROLLING,
    SECOND,
    a_canary,
    a_deployment,
    percent,
    serving,
)
from tests.unit.model.placement_story import PlacementStory, a_first_release, a_story, an_upgrade, is_at_rest_with

from tidegate.model.event import EventKind
from tidegate.model.ids import RolloutId
from tidegate.model.pipeline import ApprovalPoint, DeployRule, VerifyRule
from tidegate.model.placement import Arrangement, Part
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.rollout_begin import begin_return
from tidegate.model.share import WHOLE

VERIFY = VerifyRule(watch=HOUR)
CANARY = a_canary(5, 50)
NOT_FOR_CAUSE = Cause("cancelled by anna", False, ANNA)


def a_canary_story(*, protected: bool = True) -> PlacementStory:
    return an_upgrade(CANARY, VERIFY, instances=4, old=4, protected=protected).settle()


def a_return(back_to_installed: int, cause: Cause | None = None) -> PlacementStory:
    """A person rolls a placement at rest back to the deployment before it, of which so many instances are there."""
    back_to = a_deployment(OLD, instances=2, installed=back_to_installed, order=1)
    placement = serving(NEW)
    if back_to_installed:
        placement = replace(placement, arrangement=Arrangement((Part(NEW, 2, WHOLE), Part(OLD, back_to_installed))))
    cause = cause or Cause("rolled back by anna", True, ANNA)
    rollout, placement = begin_return(RolloutId("01R"), placement, back_to, cause, NOON)
    return a_story(placement, [a_deployment(NEW, installed=2), back_to], rollout)


# the order of things


def test_on_the_way_back_the_traffic_moves_before_anything_else() -> None:
    story = a_canary_story()
    story.log.clear()
    story.hear(FAIL)
    assert story.log == [f"route {OLD}=100%", f"drain {NEW} of 1", f"install 0 of {NEW}"]


@pytest.mark.parametrize("rule", [BLUE_GREEN, ROLLING, CANARY])
def test_after_a_rollback_the_old_deployment_serves_alone_and_whole(rule: DeployRule) -> None:
    story = an_upgrade(rule, VERIFY, instances=4, old=4).settle().hear(FAIL)
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert is_at_rest_with(story, OLD, 4)
    assert not story.deployment(NEW).present


def test_a_rollback_does_not_wait_for_instances_that_are_still_to_be_started() -> None:
    """Two of four instances are there: they take all of the traffic, and the others come afterwards."""
    story = an_upgrade(ROLLING, VERIFY, instances=4, old=4)
    old = a_deployment(OLD, instances=4, installed=2, order=1)
    new = a_deployment(NEW, instances=4, installed=2)
    half = Arrangement((Part(NEW, 2, percent(50)), Part(OLD, 2, percent(50))))
    story = a_story(
        replace(story.placement, arrangement=half),
        [old, new],
        replace(story.rollout, step=1, state=RolloutState.JUDGING, step_since=NOON, rollback_asked=NOT_FOR_CAUSE),
    )
    story.told.clear()
    story.settle()
    assert story.log[:1] == [f"route {OLD}=100%"]
    assert story.log.index(f"install 4 of {OLD}") > 0
    assert is_at_rest_with(story, OLD, 4)


def test_the_time_until_all_traffic_was_back_is_told() -> None:
    story = a_canary_story()
    story.away = "the router does not answer"
    story.hear(FAIL)
    story.away = ""
    story.wait(2 * SECOND)
    (routed,) = [event for event in story.events if event.kind is EventKind.ROLLBACK_ROUTED]
    assert routed.data["seconds"] == pytest.approx(2.0)
    assert story.rollout.routed_at == NOON + 2 * SECOND


def test_the_time_until_the_last_response_is_told() -> None:
    story = a_canary_story().hear(FAIL).wait(2 * SECOND)
    (answered,) = [event for event in story.events if event.kind is EventKind.ROLLBACK_ANSWERED]
    assert answered.about["rollout"] == story.rollout.id
    assert answered.about["deployment"] == NEW
    assert 0 <= float(str(answered.data["seconds"])) <= 2


def test_what_was_never_rolled_back_has_no_last_response() -> None:
    story = an_upgrade(BLUE_GREEN).settle().wait(HOUR)
    assert story.said(EventKind.ROLLBACK_ANSWERED) == []


def test_a_rollback_is_not_called_done_while_the_traffic_is_not_back() -> None:
    story = a_canary_story()
    story.away = "the router does not answer"
    story.hear(FAIL).wait(HOUR)
    assert story.rollout.state is RolloutState.RETURNING
    assert story.placement.reached_at is None
    assert story.placement.stuck_because == "the router does not answer"


def test_an_old_deployment_that_cannot_be_started_again_is_said_to_be_stuck_and_tried_again() -> None:
    story = a_return(0)
    story.broken.add(OLD)
    story.settle().wait(MINUTE).wait(MINUTE)
    assert story.said(EventKind.PLACEMENT_STUCK) == ["stuck: the command does not exist; it is tried again"]
    assert story.rollout.state is RolloutState.RETURNING
    assert story.running[NEW] == 2, "what serves goes on serving meanwhile"
    story.broken.clear()
    story.wait(MINUTE)
    assert is_at_rest_with(story, OLD)
    assert story.placement.stuck_because is None


# why, and what it means for what comes


def test_a_rollback_for_cause_quarantines_and_says_so() -> None:
    story = a_canary_story().hear(FAIL)
    new = story.deployment(NEW)
    assert new.is_quarantined
    assert new.proven_at is None, "nothing returns to it"
    assert story.said(EventKind.ROLLBACK_DECIDED) == [f"back to bbbbbbbb: verification failed: {FAIL.reason}"]
    assert story.said(EventKind.DEPLOYMENT_QUARANTINED) == [
        "cccccccc is quarantined: nothing automatic deploys it again"
    ]


def test_a_cancel_goes_back_without_quarantine_and_counts_for_nothing() -> None:
    story = a_canary_story().people_say(rollback_asked=NOT_FOR_CAUSE)
    assert is_at_rest_with(story, OLD, 4)
    assert not story.deployment(NEW).is_quarantined
    assert story.placement.rollbacks_in_a_row == 0


def after_rollbacks(count: int, *, protected: bool = True) -> PlacementStory:
    story = a_canary_story(protected=protected)
    story.state = replace(story.state, placement=replace(story.placement, rollbacks_in_a_row=count))
    return story


def test_one_rollback_for_cause_does_not_stop_the_line() -> None:
    story = after_rollbacks(0).hear(FAIL)
    assert story.placement.rollbacks_in_a_row == 1
    assert story.service.line_stopped_because is None


def test_two_rollbacks_for_cause_in_a_row_stop_the_line_and_name_what_starts_it_again() -> None:
    story = after_rollbacks(1).hear(FAIL)
    assert story.service.line_stopped_because == "2 rollbacks for cause in a row in production stopped the line"
    (said,) = story.said(EventKind.LINE_STOPPED)
    assert said.endswith("to go on: tidegate service resume shop")


def test_a_cancel_after_a_rollback_for_cause_does_not_stop_the_line() -> None:
    assert after_rollbacks(1).people_say(rollback_asked=NOT_FOR_CAUSE).service.line_stopped_because is None


def test_a_placement_that_is_not_protected_stops_no_line() -> None:
    assert after_rollbacks(5, protected=False).hear(FAIL).service.line_stopped_because is None


def test_a_release_that_passes_between_two_rollbacks_keeps_the_line_going() -> None:
    story = after_rollbacks(1)
    for _ in range(3):
        story.hear(PASS)
    story.hear(FAIL)
    assert story.placement.rollbacks_in_a_row == 1
    assert story.service.line_stopped_because is None


# a person's rollback


def test_a_persons_rollback_needs_no_approval_and_is_for_cause() -> None:
    story = a_return(0).settle()
    assert is_at_rest_with(story, OLD)
    assert story.deployment(NEW).quarantined_because == "rolled back by anna"
    assert story.rollout.cause is not None and story.rollout.cause.actor == ANNA


def test_a_persons_rollback_starts_the_old_deployment_before_it_gets_traffic() -> None:
    story = a_return(0).settle()
    assert story.log[:2] == [f"install 2 of {OLD}", f"route {OLD}=100%"]


def test_a_rollback_to_what_is_still_warm_starts_nothing() -> None:
    story = a_return(2).settle()
    assert story.log == [f"route {OLD}=100%", f"drain {NEW} of 2", f"install 0 of {NEW}"]


def test_a_stop_drains_before_it_stops_and_leaves_the_placement_empty() -> None:
    rollout, placement = begin_return(RolloutId("01R"), serving(), None, Cause("stopped by anna", False, ANNA), NOON)
    story = a_story(placement, [a_deployment(OLD, installed=2)], rollout).settle()
    assert story.log == ["route none", f"drain {OLD} of 2", f"install 0 of {OLD}"]
    assert is_at_rest_with(story, None)
    assert story.placement.health == "empty"
    assert not story.deployment(OLD).is_quarantined


def test_a_failed_first_release_leaves_the_placement_empty_since_nothing_ever_served() -> None:
    story = a_first_release(BLUE_GREEN, VERIFY).settle().hear(FAIL)
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert is_at_rest_with(story, None)
    assert story.said(EventKind.ROLLBACK_DECIDED)[0].startswith("back to nothing (empty)")


def test_a_person_may_name_another_deployment_while_it_is_going_back() -> None:
    story = a_return(0)
    older = a_deployment(OLDER, instances=2, order=0)
    story.state = replace(story.state, deployments={**story.state.deployments, OLDER: older})
    story.broken.add(OLD)
    story.settle()
    story.people_say(old=OLDER, rollback_asked=Cause("rolled back by ben", True))
    story.wait(MINUTE)
    assert is_at_rest_with(story, OLDER)
    assert story.said(EventKind.ROLLBACK_DECIDED)[-1] == "now back to aaaaaaaa: rolled back by ben"


@pytest.mark.parametrize("rule", [CANARY, ROLLING, BLUE_GREEN])
def test_a_person_may_stop_a_service_in_the_first_step_of_a_rollout(rule: DeployRule) -> None:
    story = an_upgrade(rule, VERIFY)
    assert story.rollout.state is RolloutState.MOVING
    story.people_say(old=None, rollback_asked=Cause("stopped by anna", False, ANNA))
    assert is_at_rest_with(story, None)


def test_who_goes_back_to_a_quarantined_deployment_lifts_the_quarantine_and_the_record_says_so() -> None:
    story = a_return(0)
    known = replace(story.deployment(OLD), quarantined_at=NOON, quarantined_because="it crashed")
    story.state = replace(story.state, deployments={**story.state.deployments, OLD: known})
    story.settle()
    assert is_at_rest_with(story, OLD)
    assert not story.deployment(OLD).is_quarantined
    assert story.said(EventKind.DEPLOYMENT_RELEASED) == ["bbbbbbbb is no longer quarantined: a person asked for it"]


@pytest.mark.parametrize("decisions", range(6))
def test_a_rollback_takes_over_at_every_moment_of_a_rollout(decisions: int) -> None:
    story = an_upgrade(a_canary(5, ApprovalPoint(1), 50), VERIFY, instances=4, old=4)
    for _ in range(decisions):
        story.decide()
        story.perform()
    before = story.placement.generation
    story.roll_back(ANNA)
    assert is_at_rest_with(story, OLD, 4)
    assert story.placement.generation > before
    assert story.deployment(NEW).is_quarantined


def test_a_rollback_is_decided_once_however_often_it_is_looked_at() -> None:
    story = a_canary_story()
    story.away = "the router does not answer"
    story.hear(FAIL)
    for _ in range(4):
        story.hear(FAIL)
    assert len(story.said(EventKind.ROLLBACK_DECIDED)) == 1
    assert story.placement.rollbacks_in_a_row == 1
