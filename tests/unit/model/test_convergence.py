"""The one safe way to an arrangement: grow and be healthy, then route, then drain, then stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
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
    a_placement,
    percent,
)
from tests.unit.model.placement_story import (
    PlacementStory,
    a_story,
    an_upgrade,
    at_rest,
    is_at_rest_with,
    with_an_older_one_kept_warm,
)

from tidegate.model.convergence import INSTALL_AT_MOST, Progress, converge, routing
from tidegate.model.effect import Effect, EffectState, Install, SetShares
from tidegate.model.event import EventKind
from tidegate.model.installation import InstallationState
from tidegate.model.pipeline import ApprovalPoint, VerifyRule
from tidegate.model.placement import Part
from tidegate.model.placement_draft import DRAIN_AT_MOST, RETRY_STUCK, STUCK_AFTER, PlacementDraft
from tidegate.model.rollout import RolloutState
from tidegate.model.share import WHOLE

AWAY = "the target does not answer"


def pending(story: PlacementStory) -> list[Effect]:
    return [effect for effect in story.state.effects if effect.state is EffectState.PENDING]


def a_move_to(*parts: Part, old_installed: int = 2, new_installed: int = 0) -> PlacementStory:
    """A placement that is to be brought to an arrangement, without a rollout."""
    deployments = [
        a_deployment(OLD, instances=2, installed=old_installed, order=1),
        a_deployment(NEW, instances=2, installed=new_installed),
    ]
    return a_story(a_placement(*parts, reached=False), deployments, None)


# the order


def test_new_instances_are_healthy_before_they_get_traffic_and_old_ones_are_drained_before_they_stop() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=0 * SECOND)).settle()
    assert story.log == [
        f"install 2 of {NEW}",
        f"route {NEW}=100%",
        f"drain {OLD} of 2",
        f"install 0 of {OLD}",
    ]


def test_a_canary_grows_to_its_share_of_the_instances_before_it_gets_that_share() -> None:
    story = an_upgrade(a_canary(25, 50), VerifyRule(), instances=4, old=4).settle().hear(PASS).hear(PASS)
    assert story.log == [
        f"install 1 of {NEW}",
        f"route {NEW}=25% {OLD}=75%",
        f"install 2 of {NEW}",
        f"route {NEW}=50% {OLD}=50%",
        f"install 4 of {NEW}",
        f"route {NEW}=100%",
    ]


def test_rolling_stops_an_old_instance_only_after_the_traffic_has_left_it() -> None:
    story = an_upgrade(ROLLING, instances=2, old=2).settle()
    assert story.log == [
        f"install 1 of {NEW}",
        f"route {NEW}=50% {OLD}=50%",
        f"install 2 of {NEW}",
        f"route {NEW}=100%",
        f"drain {OLD} of 2",
        f"install 0 of {OLD}",
    ]


def test_nothing_is_routed_as_long_as_an_instance_that_is_wanted_is_not_there() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away = AWAY
    story.settle()
    assert [effect.act for effect in pending(story)] == [Install(NEW, 2)]
    assert story.placement.reached_at is None


def test_nothing_is_drained_as_long_as_the_router_has_not_confirmed() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=0 * SECOND))
    story.away, story.refused = "the router does not answer", SetShares
    story.settle()
    assert [type(effect.act) for effect in pending(story)] == [SetShares]
    assert story.running[OLD] == 2


def test_the_router_knows_a_leaving_deployment_until_its_requests_have_ended() -> None:
    story = an_upgrade(a_canary(5, 50), VerifyRule(), instances=2, old=2).settle()
    story.busy.add(NEW)
    story.hear(FAIL)
    (leaving,) = [route for route in story.told[-1].routes if route.deployment == NEW]
    assert (str(leaving.share), [one.port for one in leaving.endpoints]) == ("0%", [9200])
    story.busy.clear()
    story.settle()
    assert [route.deployment for route in story.told[-1].routes] == [OLD]


def test_requests_that_began_on_a_leaving_instance_may_end_there() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=0 * SECOND))
    story.busy.add(OLD)
    story.settle().wait(DRAIN_AT_MOST - SECOND)
    assert story.running[OLD] == 2
    story.busy.clear()
    assert story.settle().running[OLD] == 0


def test_requests_that_never_end_do_not_keep_an_old_instance_for_ever() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=0 * SECOND))
    story.busy.add(OLD)
    story.settle()
    assert story.placement.wake_at is not None
    assert story.wait(DRAIN_AT_MOST).running[OLD] == 0


# the same again


@pytest.mark.parametrize("at_rest_with", [1, 2, 5])
def test_the_same_desired_state_twice_leaves_nothing_to_do(at_rest_with: int) -> None:
    story = at_rest(instances=at_rest_with).settle()
    assert story.log == []
    generation = story.placement.generation
    decision = story.decide()
    assert (decision.changes, decision.events, decision.effects) == ((), (), ())
    assert story.placement.generation == generation


def test_a_placement_that_is_where_it_should_be_is_not_moved_again() -> None:
    story = an_upgrade(BLUE_GREEN).settle()
    before, told = story.placement.generation, len(story.told)
    for _ in range(3):
        story.settle()
    assert (story.placement.generation, len(story.told)) == (before, told)


def test_an_effect_is_asked_for_once_a_generation() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away = AWAY
    story.settle()
    first = pending(story)
    story.settle().wait(SECOND)
    assert [effect.id for effect in pending(story)] == [effect.id for effect in first]


# keeping warm


def test_the_old_deployment_stays_whole_for_as_long_as_the_file_says() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=HOUR)).settle()
    assert story.deployment(OLD).warm_until == NOON + HOUR
    assert story.wait(HOUR - SECOND).running[OLD] == 2
    assert story.wait(SECOND).running[OLD] == 0
    assert story.said(EventKind.DEPLOYMENT_REMOVED) == ["bbbbbbbb is stopped and removed"]


def test_what_is_kept_warm_gets_no_traffic() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=HOUR)).settle()
    assert story.shares == {NEW: "100%"}


def test_a_placement_wakes_when_the_time_of_what_is_warm_is_over() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=5 * SECOND)).settle().hear(None)
    assert story.placement.wake_at == NOON + 5 * SECOND


def test_what_is_warm_is_not_removed_while_a_rollout_may_still_need_it() -> None:
    story = an_upgrade(a_canary(5, ApprovalPoint(1), 50), VerifyRule(), instances=4, old=4).settle().hear(PASS)
    assert story.rollout.state is RolloutState.ASKING
    assert story.wait(100 * HOUR).running[OLD] == 4


def test_a_third_deployment_that_was_still_warm_goes_when_a_new_rollout_begins() -> None:
    story = with_an_older_one_kept_warm(an_upgrade(a_canary(5, 50), VerifyRule(), instances=2, old=2)).settle()
    assert story.running[OLDER] == 0
    assert not story.deployment(OLDER).present
    assert story.shares == {NEW: "5%", OLD: "95%"}


# what goes wrong


def test_a_deployment_that_cannot_be_installed_is_named_with_the_reason() -> None:
    story = a_move_to(Part(NEW, 2, WHOLE))
    story.broken.add(NEW)
    story.decide()
    story.perform()
    convergence = converge(PlacementDraft(story.state, NOON))
    assert convergence.progress is Progress.FAILED
    assert (convergence.failed, convergence.detail) == (NEW, "the command does not exist")


def test_a_target_that_is_away_for_a_moment_is_no_trouble() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away = AWAY
    story.settle().wait(STUCK_AFTER - SECOND)
    assert story.placement.stuck_because is None
    assert story.placement.wake_at == NOON + STUCK_AFTER


def test_a_target_that_stays_away_is_said_loudly_once_tried_again_and_never_called_done() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away = AWAY
    story.settle().wait(STUCK_AFTER).wait(HOUR).wait(HOUR)
    assert story.said(EventKind.PLACEMENT_STUCK) == [f"stuck: {AWAY}; it is tried again"]
    assert story.placement.stuck_because == AWAY
    assert story.rollout.state is RolloutState.MOVING
    story.away = ""
    story.settle()
    assert story.placement.stuck_because is None
    assert story.shares == {NEW: "100%"}


def test_an_installation_that_goes_on_is_waited_for() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.slow.add(NEW)
    story.settle().wait(INSTALL_AT_MOST - SECOND)
    assert story.placement.wake_at == NOON + INSTALL_AT_MOST
    assert story.placement.stuck_because is None
    story.slow.clear()
    assert story.settle().shares == {NEW: "100%"}


def test_an_installation_that_does_not_end_is_given_up_and_goes_back_for_cause() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.slow.add(NEW)
    story.settle().wait(INSTALL_AT_MOST)
    assert is_at_rest_with(story, OLD)
    because = "it could not be installed: not installed within 30 minutes: pip install goes on"
    assert story.deployment(NEW).quarantined_because == because


def test_a_target_that_was_away_has_its_time_when_it_is_back() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away = AWAY
    story.settle().wait(INSTALL_AT_MOST)
    story.away = ""
    story.slow.add(NEW)
    story.settle().wait(MINUTE)
    assert not story.deployment(NEW).is_quarantined
    story.slow.clear()
    assert story.settle().shares == {NEW: "100%"}


def test_a_router_that_stays_away_is_said_loudly() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.away, story.refused = "the router does not answer", SetShares
    story.settle().wait(STUCK_AFTER)
    assert story.placement.stuck_because == "the router does not answer"


def test_a_router_that_goes_on_refusing_is_told_again_under_a_higher_generation() -> None:
    """It may hold this very generation with another split, which the rows forgot when they were restored."""
    story = an_upgrade(BLUE_GREEN)
    story.away, story.refused = "generation 1 of shop/production asked for another split before", SetShares
    story.settle()
    before = story.placement.generation
    story.wait(STUCK_AFTER)
    assert story.placement.generation > before
    story.away = ""
    assert story.settle().shares == {NEW: "100%"}
    assert story.placement.stuck_because is None


def test_what_cannot_be_removed_is_said_loudly_too() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=MINUTE)).settle()
    story.away, story.refused = AWAY, Install
    story.wait(MINUTE).wait(HOUR).wait(HOUR)
    assert Install(OLD, 0) in [effect.act for effect in pending(story)]
    assert story.placement.stuck_because == AWAY
    story.away = ""
    assert story.settle().placement.stuck_because is None


def test_an_instance_that_cannot_be_stopped_is_tried_again_after_a_while() -> None:
    story = an_upgrade(replace(BLUE_GREEN, keep_warm=0 * SECOND))
    story.busy.add(OLD)
    story.settle()
    story.busy.clear()
    story.perform()
    story.decide()
    (removal,) = [effect for effect in story.state.effects if effect.act == Install(OLD, 0)]
    failed = replace(removal, state=EffectState.FAILED, detail="the folder is in use")
    others = tuple(effect for effect in story.state.effects if effect.id != removal.id)
    story.state = replace(story.state, effects=(*others, failed))
    story.settle()
    assert story.running[OLD] == 2
    assert story.wait(RETRY_STUCK).running[OLD] == 0


@pytest.mark.parametrize("kind", [Install, SetShares])
def test_rows_that_were_restored_from_a_backup_go_beyond_the_generation_that_the_world_has_seen(
    kind: type[Install | SetShares],
) -> None:
    """Whoever holds a higher generation refuses; the placement takes a higher one until it is heard."""
    story = an_upgrade(BLUE_GREEN)
    if kind is SetShares:
        story.decide()
        story.perform()
        story.decide()
    else:
        story.decide()
    before = story.placement.generation
    story.state = replace(
        story.state,
        effects=tuple(
            replace(effect, state=EffectState.CANCELLED, detail="late") if isinstance(effect.act, kind) else effect
            for effect in story.state.effects
        ),
    )
    story.settle()
    assert story.placement.generation > before
    assert story.shares == {NEW: "100%"}


# what the router is told


def test_the_router_is_told_every_share_and_who_may_receive_it() -> None:
    story = a_move_to(Part(NEW, 1, percent(5)), Part(OLD, 2, percent(95)), new_installed=1)
    told = routing(PlacementDraft(story.state, NOON))
    assert (told.placement, told.port) == (story.placement.id, 8600)
    seen = [(route.deployment, str(route.share), [one.port for one in route.endpoints]) for route in told.routes]
    assert seen == [(NEW, "5%", [9200]), (OLD, "95%", [9100, 9101])]


def test_instances_that_are_about_to_leave_receive_no_request_any_more() -> None:
    story = a_move_to(Part(NEW, 1, percent(50)), Part(OLD, 1, percent(50)), new_installed=1)
    told = routing(PlacementDraft(story.state, NOON))
    assert [one.port for one in told.routes[1].endpoints] == [9100]


def test_an_installation_that_is_not_whole_is_not_taken_for_done() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.decide()
    (effect,) = story.state.effects
    half = replace(story.healthy(NEW, 1), state=InstallationState.STARTING)
    story.state = replace(story.state, effects=(replace(effect, installation=half, detail="1 of 2 healthy"),))
    decision = story.decide()
    assert not [wanted for wanted in decision.effects if isinstance(wanted.act, SetShares)]
    assert story.deployment(NEW).installed == 0
