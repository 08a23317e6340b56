"""Calendars: days that have a name, such as a country's holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tidegate.model.local_time import first_moment, zone


@dataclass(frozen=True, slots=True)
class Days:
    """Days from `first` to `last`, both among them."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days of a place: each begins and ends when the clock on the wall there says midnight."""

    name: str
    timezone: str
    days: tuple[Days, ...]

    def covers(self, moment: datetime) -> bool:
        """Whether it is one of the days there."""
        today = moment.astimezone(zone(self.timezone)).date()
        return any(today in one for one in self.days)

    def edges(self) -> Iterator[tuple[datetime, datetime]]:
        """When each stretch of days begins, and when it is over."""
        place = zone(self.timezone)
        for one in self.days:
            yield first_moment(one.first, place), first_moment(one.last + timedelta(days=1), place)
