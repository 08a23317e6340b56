"""When drills begin by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.schedule import Schedule


@dataclass(frozen=True, slots=True)
class DrillRule:
    """When an environment's services are drilled by themselves: so long after the last drill, or at certain times."""

    every: timedelta | None = None
    schedule: Schedule | None = None

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Whether a drill should begin now; `last` is when the last one began, None where there was none.

        A time of a schedule at which no server ran is made up for within the hour, and left out after it.
        """
        if self.every is not None:
            return last is None or last + self.every <= now
        assert self.schedule is not None
        opened = self.schedule.opened_at(now)
        return opened is not None and (last is None or last < opened)
