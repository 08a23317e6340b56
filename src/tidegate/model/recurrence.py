"""When drills and rehearsals begin by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.quantity import format_duration
from tidegate.model.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When something begins by itself: so long after it began last, or at certain times."""

    every: timedelta | None = None
    schedule: Schedule | None = None

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Whether it should begin now; `last` is when it began last, None where it never did.

        A time of a schedule at which no server ran is made up for within the hour, and left out after it.
        """
        if self.every is not None:
            return last is None or last + self.every <= now
        assert self.schedule is not None
        opened = self.schedule.opened_at(now)
        return opened is not None and (last is None or last < opened)

    def next_at(self, last: datetime | None, now: datetime) -> datetime:
        """When it begins next: `now` where it is due."""
        if self.is_due(last, now):
            return now
        if self.every is not None:
            assert last is not None  # else it were due
            return last + self.every
        assert self.schedule is not None
        return self.schedule.next_after(now)

    def __str__(self) -> str:
        return f"every {format_duration(self.every)}" if self.every is not None else f"at {self.schedule}"
