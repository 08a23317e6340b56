"""What is usual at a placement at a time of the day: its traffic in the same hours of the days before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidegate.model.traffic import Traffic

LEAST_DAYS = 7
"""Of fewer days nothing is said: how much they differ from each other would not be known, nor what a weekend does."""

LEAST_OF_AN_HOUR = 50
"""An hour counts in which there were so many requests."""

HALF = 30
"""Minutes of an hour, from which on the next one is nearer than the last one."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Usual:
    """By the hour of the day (UTC) what was counted in it on each day, oldest first."""

    days: Mapping[int, tuple[Traffic, ...]] = field(default_factory=dict)

    def at(self, moment: datetime) -> tuple[Traffic, ...]:
        """The days at that hour; none where too few are known."""
        return self.days.get(moment.hour, ())

    def around(self, moment: datetime) -> tuple[tuple[Traffic, ...], ...]:
        """The days at that hour and at the one that is nearer beside it, as far as enough are known: what a moment
        shows lies between two hours."""
        beside = moment + (_HOUR if moment.minute >= HALF else -_HOUR)
        return tuple(days for days in (self.at(moment), self.at(beside)) if days)


NOTHING_USUAL = Usual()


def usual_of(hours: Sequence[Traffic], before: datetime) -> Usual:
    """What rows of hours show that were over before a rollout, at those hours that enough days are known of."""
    found: dict[int, list[Traffic]] = defaultdict(list)
    for row in sorted(hours, key=lambda row: row.begin):
        if row.begin + _HOUR <= before and row.requests >= LEAST_OF_AN_HOUR:
            found[row.begin.hour].append(row)
    return Usual({hour: tuple(days) for hour, days in found.items() if len(days) >= LEAST_DAYS})
