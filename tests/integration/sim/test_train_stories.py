"""A release train of four arrives, or comes back whole, and a crash of the server anywhere is only a delay."""

from __future__ import annotations

from functools import cache

import pytest

from tidegate.sim.telling import Story, Telling
from tidegate.sim.train_stories import TRAIN_STORIES

SHORTEST = "the third of a train is never healthy"
SAMPLED = 2
"""How many crash points of the shortest failure are in the test command; all of all stories when asked."""

AT_ONCE = ("a train of four arrives", SHORTEST, "the third of a train fails while the fourth moves")
"""Told in the test command; the others when asked."""

by_name = pytest.mark.parametrize("story", TRAIN_STORIES, ids=lambda story: story.name)
at_once = pytest.mark.parametrize(
    "story", [one for one in TRAIN_STORIES if one.name in AT_ONCE], ids=lambda story: story.name
)


@cache
def without_a_crash(story: Story) -> Telling:
    return Telling.of(story)


@at_once
def test_a_train_ends_as_it_should_and_all_rules_hold(story: Story) -> None:
    assert without_a_crash(story).points >= 100


def test_a_crash_while_a_train_comes_back_is_only_a_delay() -> None:
    told = without_a_crash(next(one for one in TRAIN_STORIES if one.name == SHORTEST))
    for point in range(told.points // 2, told.points - 1, told.points // (2 * SAMPLED)):
        told.tell_again(crash_at=point)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@by_name
def test_a_crash_at_any_point_of_a_train_is_only_a_delay(story: Story) -> None:
    told = without_a_crash(story)
    for point in range(1, told.points + 1):
        told.tell_again(crash_at=point)
