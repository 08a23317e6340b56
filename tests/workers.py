"""How the tests are shared between worker processes."""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadFileScheduling

STORIES = "tests/acceptance/"
GIVES_WAY = 5
"""How nice to others who is no story is."""


class OneStoryAtATime(LoadFileScheduling):  # type: ignore[misc]
    """A file is one worker's, and all stories are: they begin first, and mostly wait, for programs and for figures.

    Two of them at once would take from each other the time in which those have to come.
    """

    def _split_scope(self, nodeid: str) -> str:
        return STORIES if nodeid.startswith(STORIES) else super()._split_scope(nodeid)


def give_way_to_stories(item: pytest.Item) -> None:
    """Have a worker, and what it starts, give way to the story beside it, from its first other test on."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith(STORIES):
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(mine, GIVES_WAY))
