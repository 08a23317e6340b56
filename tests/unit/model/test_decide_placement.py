"""How a placement stays what it should be, and when it is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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
    SECOND,
    UNDECIDED,
    a_canary,
    a_placement,
    endpoints,
)
from tests.unit.model.placement_story import PlacementStory, a_story, an_upgrade, at_rest, is_at_rest_with

from tidegate.model.decide_placement import wants_figures
from tidegate.model.effect import EffectState, Install, SetShares
from tidegate.model.event import EventKind
from tidegate.model.installation import Installation, InstallationState, Instance, InstanceState
from tidegate.model.pipeline import VerifyRule
from tidegate.model.placement_draft import CHECK_EVERY, RETRY_STUCK
from tidegate.model.rollout import Cause, RolloutState

DEAD = Installation(InstallationState.STARTING, detail="1 of 2 instances is being started again")


def a_canary_story() -> PlacementStory:
    return an_upgrade(a_canary(5, 50), VerifyRule(), instances=4, old=4).settle()


def check(story: PlacementStory, **endings: Installation) -> PlacementStory:
    """The time of the next check has come."""
    story.now_ += CHECK_EVERY
    return story.hear(None, **endings)


# a placement at rest


def test_a_placement_at_rest_is_looked_at_now_and_then() -> None:
    story = at_rest().settle()
    assert story.placement.wake_at == NOON + CHECK_EVERY
    check(story)
    assert story.placement.checked_at == NOON + CHECK_EVERY
    assert story.placement.wake_at == NOON + 2 * CHECK_EVERY


def test_an_empty_placement_waits_for_nobody() -> None:
    story = a_story(a_placement(), [], None).settle()
    assert story.placement.wake_at is None
    assert story.placement.health == "empty"
    assert story.log == []


def test_an_instance_that_is_missing_is_put_back_and_said_once() -> None:
    story = check(at_rest().settle(), old=DEAD)
    assert story.placement.health == DEAD.detail
    assert story.said(EventKind.PLACEMENT_HEALTH) == [f"shop/production: {DEAD.detail}"]
    assert [effect.act for effect in story.state.effects] == [Install(OLD, 2)]
    check(story, old=DEAD)
    assert len(story.said(EventKind.PLACEMENT_HEALTH)) == 1


def test_a_placement_that_is_healthy_again_says_so() -> None:
    story = check(check(at_rest().settle(), old=DEAD))
    assert story.placement.health == "healthy"
    assert story.said(EventKind.PLACEMENT_HEALTH)[-1] == "shop/production: healthy"


def test_an_instance_that_answers_elsewhere_is_told_to_the_router() -> None:
    moved = Installation(
        InstallationState.READY,
        tuple(
            Instance(index, endpoint, InstanceState.HEALTHY) for index, endpoint in enumerate(endpoints((9100, 9101)))
        ),
    )
    story = at_rest().settle()
    stale = replace(story.deployment(OLD), endpoints=endpoints((9100,)))
    story.state = replace(story.state, deployments={OLD: stale})
    before = story.placement.generation
    check(story, old=moved)
    assert [one.port for one in story.told[-1].routes[0].endpoints] == [9100, 9101]
    assert story.placement.generation > before


def test_repairing_is_tried_again_and_again_where_it_fails() -> None:
    story = at_rest().settle()
    story.broken.add(OLD)
    check(story, old=Installation(InstallationState.FAILED, detail="the command does not exist"))
    assert story.placement.arrangement.serving == (OLD,), "it is still what should serve"
    story.broken.clear()
    check(story, old=DEAD).wait(RETRY_STUCK)
    check(story)
    assert story.placement.health == "healthy"


def test_the_health_of_what_serves_is_known_during_a_rollout_too() -> None:
    story = a_canary_story().hear(UNDECIDED, old=DEAD)
    assert story.placement.health == DEAD.detail
    assert story.hear(UNDECIDED).placement.health == "healthy"


# harm first


def test_harm_counts_more_than_a_step_forward_that_is_due() -> None:
    story = a_canary_story()
    story.state = replace(
        story.state, rollout=replace(story.rollout, promote_step=0, rollback_asked=Cause("by anna", True, ANNA))
    )
    story.settle()
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert not [line for line in story.log if "50%" in line]


def test_harm_is_acted_on_before_the_arrangement_is_reached() -> None:
    story = an_upgrade(a_canary(5, 50), VerifyRule(), instances=4, old=4)
    story.away, story.refused = "the router does not answer", SetShares
    story.settle()
    story.people_say(rollback_asked=Cause("by anna", True, ANNA))
    story.away = ""
    assert is_at_rest_with(story.settle(), OLD, 4)
    assert not [
        routing for routing in story.told if routing.routes[0].deployment == NEW and routing.routes[0].share.parts
    ]


# what is read before a decision


def test_figures_are_read_when_a_batch_is_over_and_not_before() -> None:
    story = a_canary_story().hear(UNDECIDED)
    due = story.rollout.measure_at
    assert due is not None
    assert not wants_figures(story.placement, story.state.rollout, due - SECOND, 10 * SECOND)
    assert wants_figures(story.placement, story.state.rollout, due, 10 * SECOND)


@pytest.mark.parametrize("asked", [True, False])
def test_nothing_is_read_on_the_way_back_since_it_would_only_take_time(asked: bool) -> None:
    story = a_canary_story()
    state = RolloutState.JUDGING if asked else RolloutState.RETURNING
    rollout = replace(story.rollout, state=state, rollback_asked=Cause("by anna", True) if asked else None)
    assert not wants_figures(story.placement, rollout, NOON + HOUR, 10 * SECOND)


def test_a_rollout_that_has_not_reached_its_first_share_has_no_figures() -> None:
    story = an_upgrade(BLUE_GREEN)
    assert not wants_figures(story.placement, story.rollout, NOON + HOUR, 10 * SECOND)


def test_a_placement_at_rest_is_asked_for_its_instances_when_a_check_is_due() -> None:
    story = at_rest().settle()
    assert not wants_figures(story.placement, story.state.rollout, NOON + CHECK_EVERY - SECOND, 10 * SECOND)
    assert wants_figures(story.placement, story.state.rollout, NOON + CHECK_EVERY, 10 * SECOND)


def test_an_empty_placement_is_not_asked() -> None:
    assert not wants_figures(a_placement(), None, NOON + HOUR, 10 * SECOND)


def test_a_batch_that_was_measured_sets_the_time_of_the_next() -> None:
    story = a_canary_story().hear(UNDECIDED)
    assert story.rollout.measure_at == NOON + story.now_ + timedelta(seconds=10)


# where things meet


def test_a_verdict_after_the_rollout_ended_changes_nothing() -> None:
    story = an_upgrade(BLUE_GREEN, VerifyRule()).settle().hear(PASS)
    story.state = replace(story.state, run_open=False)
    story.settle()
    assert story.rollout.state is RolloutState.SUCCEEDED
    story.hear(FAIL)
    assert story.shares == {NEW: "100%"}


def test_an_effect_that_is_performed_now_is_not_asked_for_a_second_time() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.decide()
    (effect,) = story.state.effects
    leased = replace(effect, token=1, leased_until=NOON + HOUR)
    story.state = replace(story.state, effects=(leased,))
    assert story.decide().effects == ()
    assert leased.state is EffectState.PENDING
