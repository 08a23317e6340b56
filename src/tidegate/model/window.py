"""Windows: the hours of a week in which a gate may open.

The rule is that of somebody who looks at the clock on the wall: a window is open whenever the clock there shows one of
its times. Hence a clock that is set forward leaps over times, which are then not there; and one that is set back shows
times twice, and the window is open both times. Hours over midnight belong to the day on which they begin; on a day that
is excepted the window is closed from midnight to midnight.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum

from tidegate.model.calendar import Calendar, Days
from tidegate.model.local_time import DAY, days_around, first_moment, moments, next_change, zone

MIDNIGHT = time()


class UnknownCalendar(Exception):
    """A window names a calendar that the server's configuration does not have."""


class Weekday(StrEnum):
    """The days of a week, as they are written in files."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @staticmethod
    def of(day: date) -> Weekday:
        """The day's."""
        return _WEEK[day.weekday()]

    def __str__(self) -> str:
        return self.value.capitalize()


_WEEK = tuple(Weekday)
EVERY_DAY = _WEEK


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begins` until just before `ends`; where that is not later, until that time of the next day.

    From midnight to midnight is the whole day.
    """

    begins: time = MIDNIGHT
    ends: time = MIDNIGHT

    @property
    def over_midnight(self) -> bool:
        """Whether they end on the day after, at another time than midnight."""
        return MIDNIGHT < self.ends <= self.begins

    def __str__(self) -> str:
        ends = "24:00" if self.ends == MIDNIGHT else f"{self.ends:%H:%M}"
        return f"{self.begins:%H:%M}–{ends}"


WHOLE_DAY = Hours()


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week in a place, but not on the days of `left_out` or of `calendars`."""

    timezone: str
    days: tuple[Weekday, ...] = EVERY_DAY
    hours: Hours = WHOLE_DAY
    left_out: tuple[Days, ...] = ()
    calendar_names: tuple[str, ...] = ()
    """The server's calendars that a file names; what is in them is known where the window is asked."""

    calendars: tuple[Calendar, ...] = ()

    def knowing(self, calendars: Iterable[Calendar]) -> Window:
        """The window with the days of the calendars that it names. Raises UnknownCalendar."""
        if not self.calendar_names:
            return self
        known = {one.name: one for one in calendars}
        for name in self.calendar_names:
            if name not in known:
                raise UnknownCalendar(f'the server has no calendar "{name}"')
        return replace(self, calendar_names=(), calendars=tuple(known[name] for name in self.calendar_names))

    def is_open(self, moment: datetime) -> bool:
        """Whether the clock on the wall shows one of its times. Raises UnknownZone."""
        local = moment.astimezone(zone(self.timezone))
        today, clock = local.date(), local.time()
        if any(today in one for one in self.left_out) or any(one.covers(moment) for one in self.calendars):
            return False
        begins, ends = self.hours.begins, self.hours.ends
        if Weekday.of(today) in self.days and clock >= begins and (clock < ends or ends <= begins):
            return True
        yesterday = Weekday.of(today - DAY)
        return self.hours.over_midnight and yesterday in self.days and clock < ends

    def may_change(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """All moments from `begin` to `end` at which it may open or close, and others. Raises UnknownZone."""
        place = zone(self.timezone)
        clocks = {MIDNIGHT, self.hours.begins, self.hours.ends}
        for day in days_around(begin, end, place):
            for clock in clocks:
                yield from moments(datetime.combine(day, clock), place)
        for calendar in self.calendars:
            for stretch in calendar.edges():
                yield from stretch

    def last_exception(self) -> datetime | None:
        """When the last day is over on which it is closed though the week says otherwise. Raises UnknownZone."""
        ends = [first_moment(one.last + DAY, zone(self.timezone)) for one in self.left_out]
        return max([*ends, *(end for one in self.calendars for _, end in one.edges())], default=None)

    def __str__(self) -> str:
        return f"{_in_words(self.days)} {self.hours} ({self.timezone})"


def any_open(windows: Iterable[Window], moment: datetime) -> bool:
    """Whether one of them is open."""
    return any(one.is_open(moment) for one in windows)


def changes_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When `any_open` answers otherwise next; None for never. Raises UnknownZone."""
    return next_change(
        lambda moment: any_open(windows, moment),
        lambda begin, end: (moment for one in windows for moment in one.may_change(begin, end)),
        now,
        max((end for one in windows if (end := one.last_exception())), default=now),
    )


def _in_words(days: Collection[Weekday]) -> str:
    """`Mon–Thu, Sat`; `every day` for all of them."""
    if set(days) == set(EVERY_DAY):
        return "every day"
    stretches: list[list[Weekday]] = []
    for day in _WEEK:
        if day not in days:
            continue
        if stretches and _WEEK.index(stretches[-1][-1]) + 1 == _WEEK.index(day):
            stretches[-1].append(day)
        else:
            stretches.append([day])
    return ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]}–{one[-1]}" for one in stretches)
