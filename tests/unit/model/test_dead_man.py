"""What the dead man is told to do, and what the server makes of what it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    FAIL,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PASS,
    ROLLING,
    ROLLOUT,
    SECOND,
    UNDECIDED,
    a_canary,
    an_approval,
)
from tests.unit.model.placement_story import PlacementStory, an_upgrade, is_at_rest_with

from tidegate.model.dead_man import Fallback, Note, note_for
from tidegate.model.event import EventKind
from tidegate.model.figures import Batch
from tidegate.model.ids import Generation
from tidegate.model.pipeline import ApprovalPoint, DeployRule, OnBlind, VerifyRule
from tidegate.model.rollout import RolloutState
from tidegate.model.rollout_blind import on_fresh_figures
from tidegate.model.share import NONE, WHOLE
from tidegate.model.verdict import Verdict

VERIFY = VerifyRule(at_most=10 * MINUTE)
BATCH = 10 * SECOND


def a_canary_story(verify: VerifyRule = VERIFY, rule: DeployRule | None = None) -> PlacementStory:
    """At its first share of 5%, with 50% and the whole before it."""
    return an_upgrade(rule or a_canary(5, 50), verify, instances=4, old=4).settle()


def note_of(story: PlacementStory) -> Note | None:
    return note_for(story.placement, story.state.rollout, story.state.deployments, BATCH)


def fall_back(story: PlacementStory, later: int = 0) -> PlacementStory:
    """The dead man sends everything back five minutes from now; the server finds that a minute later."""
    at = story.now_ + 5 * MINUTE
    generation = Generation(story.placement.generation + 1 - later)
    done = Fallback(ROLLOUT, generation, NOON + at, 5 * MINUTE)
    story.now_ = at + MINUTE
    story.state = replace(story.state, fell_back=done)
    return story


# what is left behind


def test_a_canarys_note_sends_all_traffic_to_the_old_deployment() -> None:
    story = a_canary_story()
    note = note_of(story)
    assert note is not None
    assert {route.deployment: route.share for route in note.back_to.routes} == {OLD: WHOLE, NEW: NONE}
    assert all(route.endpoints for route in note.back_to.routes)
    assert note.after == 5 * MINUTE
    assert note.generation == story.placement.generation


def test_it_holds_until_the_rollout_has_passed_and_no_longer() -> None:
    story = a_canary_story().hear(PASS).hear(PASS)
    assert story.shares == {NEW: "100%"}
    assert note_of(story) is not None
    story.hear(PASS)
    assert story.rollout.state is RolloutState.WATCHING
    assert note_of(story) is None


def test_a_share_that_people_asked_for_stays() -> None:
    story = a_canary_story(rule=a_canary(5, ApprovalPoint(1), 50)).hear(PASS)
    assert note_of(story) is not None, "the first share is nobody's word"
    story.answer(an_approval(ANNA, point=1))
    assert story.shares == {NEW: "50%", OLD: "50%"}
    assert note_of(story) is None


@pytest.mark.parametrize(
    ("rule", "blind", "left"),
    [
        (a_canary(5, 50), OnBlind.HOLD, False),
        (a_canary(5, 50), OnBlind.BASELINE, True),
        (BLUE_GREEN, None, False),
        (BLUE_GREEN, OnBlind.BASELINE, True),
        (ROLLING, None, False),
    ],
)
def test_what_the_file_says_holds(rule: DeployRule, blind: OnBlind | None, left: bool) -> None:
    story = a_canary_story(replace(VERIFY, blind=blind), rule)
    assert (note_of(story) is not None) is left


def test_it_lasts_for_three_batches_at_least() -> None:
    note = note_of(a_canary_story(replace(VERIFY, blind_after=SECOND)))
    assert note is not None and note.after == 30 * SECOND


def test_a_note_is_about_earlier_moves_too_and_about_none_that_came_later() -> None:
    story = a_canary_story()
    note = note_of(story)
    assert note is not None
    assert note.is_for(note.generation, story.told[-1])
    assert note.is_for(Generation(note.generation - 1), story.told[-1])
    assert not note.is_for(note.fallback_generation, story.told[-1])
    assert not note.is_for(note.generation, note.back_to), "there is nothing to be sent back"
    assert not note.is_for(note.generation, None)


# what the server makes of it


def test_it_is_told_once_with_its_true_time_and_the_share_is_judged_anew() -> None:
    story = fall_back(a_canary_story()).hear(UNDECIDED)
    (told,) = story.said(EventKind.ROLLOUT_FELL_BACK)
    assert "for 5m" in told and "at 12:05:00 UTC" in told
    assert story.shares == {OLD: "95%", NEW: "5%"}
    assert story.rollout.state is RolloutState.JUDGING
    assert story.placement.generation > 2
    story.hear(UNDECIDED)
    assert len(story.said(EventKind.ROLLOUT_FELL_BACK)) == 1


def test_harm_that_was_done_meanwhile_takes_it_back_for_cause() -> None:
    story = fall_back(a_canary_story())
    before = len(story.told)
    story.hear(FAIL)
    assert all(
        route.share == NONE for split in story.told[before:] for route in split.routes if route.deployment == NEW
    )
    assert story.rollout.state is RolloutState.ROLLED_BACK
    assert story.deployment(NEW).is_quarantined
    assert is_at_rest_with(story, OLD, 4)


def test_a_pass_from_before_takes_it_no_step_forward() -> None:
    """It had passed 5% and was on its way to 50%: what the gap did at 5% is judged first."""
    story = a_canary_story()
    story.slow.add(NEW)
    story.hear(PASS)
    assert (story.rollout.state, story.rollout.step) == (RolloutState.MOVING, 1)
    story.slow.clear()
    story = fall_back(story, later=1).settle()
    assert story.shares == {OLD: "95%", NEW: "5%"}
    assert (story.rollout.state, story.rollout.step) == (RolloutState.JUDGING, 0)


def test_the_word_of_somebody_who_promoted_before_does_not_count_after_it() -> None:
    story = a_canary_story()
    story.people_say(held=True, promote_step=0, promoted_by="anna")
    story = fall_back(story).settle()
    story.people_say(held=False)
    assert story.shares == {OLD: "95%", NEW: "5%"}


def test_people_are_asked_again_only_when_the_share_was_judged_again() -> None:
    story = a_canary_story(rule=a_canary(5, ApprovalPoint(1), 50)).hear(PASS)
    assert story.rollout.state is RolloutState.ASKING
    story = fall_back(story).settle()
    assert story.rollout.state is RolloutState.JUDGING
    assert story.hear(PASS).rollout.state is RolloutState.ASKING


def test_a_rollout_that_had_passed_serves_again() -> None:
    """The server had ended between the pass and the moment at which it would have taken the note back."""
    story = fall_back(a_canary_story().hear(PASS).hear(PASS).hear(PASS)).settle()
    assert story.shares == {NEW: "100%"}
    assert story.rollout.state is RolloutState.WATCHING
    assert len(story.said(EventKind.ROLLOUT_FELL_BACK)) == 1


def test_what_the_server_moved_on_from_is_no_news() -> None:
    story = a_canary_story()
    before = story.placement.generation
    story.state = replace(story.state, fell_back=Fallback(ROLLOUT, Generation(before - 1), NOON, timedelta(0)))
    story.settle()
    assert story.placement.generation == before
    assert story.said(EventKind.ROLLOUT_FELL_BACK) == []


def test_what_was_counted_before_takes_it_no_step_forward_alone() -> None:
    story = a_canary_story()
    since = story.rollout.step_since
    assert since is not None
    before = Batch(since - MINUTE, since - SECOND, 0, None, None)
    after = Batch(since, since + MINUTE, 0, None, None)
    assert on_fresh_figures(PASS, [before], story.rollout).verdict is Verdict.UNDECIDED
    assert on_fresh_figures(PASS, [before, after], story.rollout) == PASS
    assert on_fresh_figures(FAIL, [before], story.rollout) == FAIL
