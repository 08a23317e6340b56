"""What happens in the simulated world by itself, ordered by time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime

Happening = Callable[[], None]


class Agenda:
    """Happenings and their times; those of one moment come in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: list[tuple[datetime, int, Happening]] = []
        self._count = 0

    def plan(self, at: datetime, happening: Happening) -> None:
        """Let something happen at a time."""
        self._count += 1
        heapq.heappush(self._planned, (at, self._count, happening))

    @property
    def next_at(self) -> datetime | None:
        """When the next thing happens, None where nothing is planned."""
        return self._planned[0][0] if self._planned else None

    def take(self) -> Happening:
        """The next happening, which is taken off the agenda."""
        return heapq.heappop(self._planned)[2]
