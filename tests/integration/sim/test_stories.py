"""Short stories end as they should, and a crash of the server at any point of them is only a delay."""

from __future__ import annotations

from functools import cache

import pytest

from tidegate.sim.every_story import EVERY_STORY, FAULT_STORIES
from tidegate.sim.step_stories import STEP_STORIES
from tidegate.sim.telling import Story, Telling
from tidegate.sim.train_stories import TRAIN_STORIES

STORIES = [one for one in EVERY_STORY if one not in TRAIN_STORIES]

SHORT = ("a cancel while it is being installed", "two releases wait and nobody approves")
"""Every crash point of these is in the test command; of the others every so many-th, and all in `make crashes`."""

SAMPLED = 6
"""How many crash points of a longer story are in the test command; of the faults of a rehearsal, and of
what is like them, two, and where they begin at one step or another one."""

by_name = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
short_by_name = pytest.mark.parametrize(
    "story", [one for one in STORIES if one.name in SHORT], ids=lambda one: one.name
)
long_by_name = pytest.mark.parametrize(
    "story", [one for one in STORIES if one.name not in SHORT], ids=lambda one: one.name
)


@cache
def without_a_crash(story: Story) -> Telling:
    return Telling.of(story)


def sampled(story: Story) -> int:
    return 1 if story in STEP_STORIES else 2 if story in FAULT_STORIES else SAMPLED


@by_name
def test_a_story_ends_as_it_should_and_all_rules_hold(story: Story) -> None:
    assert without_a_crash(story).points >= 18


@short_by_name
def test_a_crash_at_any_point_of_a_short_story_is_only_a_delay(story: Story) -> None:
    told = without_a_crash(story)
    for point in range(1, told.points + 1):
        told.tell_again(crash_at=point)


@long_by_name
def test_a_crash_at_a_point_of_a_longer_story_is_only_a_delay(story: Story) -> None:
    told = without_a_crash(story)
    apart = told.points // sampled(story)
    for point in range(apart // 2, told.points + 1, apart):
        told.tell_again(crash_at=point)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@long_by_name
def test_a_crash_at_any_point_of_a_longer_story_is_only_a_delay(story: Story) -> None:
    told = without_a_crash(story)
    for point in range(1, told.points + 1):
        told.tell_again(crash_at=point)
