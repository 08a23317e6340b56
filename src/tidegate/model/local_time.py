"""Time as people in a place read it from a clock on the wall, right across daylight-saving changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)
FURTHEST = timedelta(days=3660)
"""How far ahead a change is looked for: a rule that changes in ten years changes never."""

_WEEKS_ALIKE = timedelta(days=32)
"""What repeats every week and did not change for so long never does; a clock set forward may leave out one time."""

_STRETCH = timedelta(days=8)
"""Changes are looked for a week at a time: most come within it."""

_SLACK = timedelta(days=2)
"""Clocks were never set by more than a day."""


class UnknownZone(Exception):
    """There is no such time zone on this machine."""


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(f'this machine knows no time zone "{name}"') from error


def moments(local: datetime, place: ZoneInfo) -> Iterator[datetime]:
    """Every moment around which the wall's clock comes to show `local` (naive), or leaps over it, in UTC.

    A time that a clock set back shows twice has two, and the setting between them; one that a clock set forward leaps
    over is never shown, but something may change when it does: that moment is among them. Others may be as well.
    """
    first, second = (local.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    yield first
    if first != second:
        yield second
        yield _change_between(min(first, second), max(first, second), place)


def _change_between(early: datetime, late: datetime, place: ZoneInfo) -> datetime:
    """The moment in (early, late] at which the clock is set, to the second: the first with the later offset."""
    after = late.astimezone(place).utcoffset()
    early -= timedelta(seconds=1)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(place).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late


def shown_at(local: datetime, place: ZoneInfo) -> tuple[datetime, ...]:
    """When the wall's clock shows `local` (naive), in UTC: once, twice, or in place of that when it leaps over it."""
    around = sorted(set(moments(local, place)))
    exact = tuple(one for one in around if one.astimezone(place).replace(tzinfo=None) == local)
    return exact or tuple(one for one in around if one.astimezone(place).replace(tzinfo=None) > local)[:1]


def first_moment(day: date, place: ZoneInfo) -> datetime:
    """When a day begins there, in UTC: at the first moment of which the wall's clock says that day, or a later one."""
    local = datetime.combine(day, time())
    return next(one for one in sorted(set(moments(local, place))) if one.astimezone(place).date() >= day)


def days_around(begin: datetime, end: datetime, place: ZoneInfo) -> Iterator[date]:
    """The days that there may be on the wall's calendar from `begin` to `end`, and some before and after."""
    day = (begin - _SLACK).astimezone(place).date()
    last = (end + _SLACK).astimezone(place).date()
    while day <= last:
        yield day
        day += DAY


def next_change(
    says: Callable[[datetime], bool],
    candidates: Callable[[datetime, datetime], Iterable[datetime]],
    now: datetime,
    weekly_from: datetime,
) -> datetime | None:
    """The first moment after `now` at which `says` answers otherwise; None where that is further than FURTHEST.

    `candidates` gives all moments between two others at which the answer may change, and may give more. From
    `weekly_from` on all weeks are alike.
    """
    answer = says(now)
    begin = now
    last = min(now + FURTHEST, max(now, weekly_from) + _WEEKS_ALIKE)
    while begin < last:
        end = begin + _STRETCH
        for moment in sorted({one for one in candidates(begin, end) if begin < one <= end}):
            if says(moment) is not answer:
                return moment
        begin = end
    return None


def say_when(moment: datetime, place: str) -> str:
    """The moment as it is read there: `Mon 30 Nov 2026 09:00 (Europe/London)`. Raises UnknownZone."""
    local = moment.astimezone(zone(place))
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local:%Y %H:%M} ({place})"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Written out: a locale would change what is recorded."""
