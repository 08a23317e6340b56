"""The typed values of times in a configuration: days, hours, time zones, moments, schedules."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import PlainValidator, WithJsonSchema

from tidegate.config.problem import did_you_mean
from tidegate.config.values import describe, matching, one_of, schema_with, wrong
from tidegate.model.local_time import first_moment, shown_at, zone
from tidegate.model.quantity import parse_duration
from tidegate.model.schedule import WrongSchedule, check_cron
from tidegate.model.window import Hours, Weekday

LONGEST_CRON = 200
YEARS = range(2000, 2200)
_NOT_PLACES = frozenset({"localtime", "posixrules", "Factory"})
"""What a machine's time zone data holds besides places: it would mean something else on the next machine."""

_CALENDAR = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_CLOCK = "(\\d{1,2}):(\\d{2})"
_DATE = r"\d{4}-\d{2}-\d{2}"
_MOMENT = rf"{_DATE}([T ]\d{{2}}:\d{{2}}(:\d{{2}})?)?(Z|[+-]\d{{2}}:\d{{2}})?"


@cache
def zones() -> frozenset[str]:
    """The time zones that this machine knows."""
    return frozenset(available_timezones() - _NOT_PLACES)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise wrong(f"expected {what}, found {describe(value)}")
    return value


def _zone(value: object) -> str:
    name = _text(value, "a time zone like Europe/London")
    if name not in zones():
        near = did_you_mean_zone(name)
        raise wrong(f'there is no time zone "{name}"', near or "write one like Europe/London, or UTC")
    return name


def did_you_mean_zone(name: str) -> str | None:
    """The hint for the zone that is nearest: of the same city, else by its letters."""
    city = name.rpartition("/")[2].casefold()
    same_city = sorted((one for one in zones() if one.rpartition("/")[2].casefold() == city), key=lambda one: -len(one))
    return f'did you mean "{same_city[0]}"?' if same_city else did_you_mean(name, sorted(zones()))


def _date(value: object) -> date:
    text = _text(value, "a date like 2026-12-24")
    if not re.fullmatch(_DATE, text):
        raise wrong(f'"{text}" is no date', "write one like 2026-12-24")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise wrong(f'"{text}" is no date: there is no such day') from None
    if found.year not in YEARS:
        raise wrong(f'"{text}" is too far away', f"years go from {YEARS.start} to {YEARS.stop - 1}")
    return found


def _date_or_calendar(value: object) -> date | str:
    if isinstance(value, str) and not value[:1].isdigit():
        return _CALENDAR_NAME(value)
    return _date(value)


def _hours(value: object) -> Hours:
    text = _text(value, 'hours like "09:00-16:30"')
    found = re.fullmatch(rf"{_CLOCK}\s*[-–]\s*{_CLOCK}", text)
    if not found:
        raise wrong(f'"{text}" are no hours', 'write them like "09:00-16:30"')
    begins, ends = _clock(found[1], found[2], text), _clock(found[3], found[4], text)
    if begins == ends or begins == timedelta(days=1):
        whole = "for the whole day leave the key out" if begins == ends else "begin at 00:00"
        raise wrong(f'"{text}" is no time at all', whole)
    return Hours(_time(begins), _time(ends))


def _clock(hour: str, minute: str, text: str) -> timedelta:
    if int(minute) > 59 or int(hour) * 60 + int(minute) > 24 * 60:
        raise wrong(f'"{text}": there is no {hour}:{minute} on a clock', "hours go from 00:00 to 24:00")
    return timedelta(hours=int(hour), minutes=int(minute))


def _time(since_midnight: timedelta) -> time:
    return time() if since_midnight == timedelta(days=1) else (datetime.min + since_midnight).time()


def _cron(value: object) -> str:
    text = _text(value, 'a cron expression like "0 9 * * mon-thu"')
    if len(text) > LONGEST_CRON:
        raise wrong(f"the cron expression is longer than {LONGEST_CRON} characters")
    try:
        check_cron(text)
    except WrongSchedule as error:
        raise wrong(f'"{text}" is no schedule: {error}', 'write one like "0 9 * * mon-thu"') from None
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class WrittenMoment:
    """A day, or a time of it, as it stands in a file: with an offset from UTC, or as the clock on a wall shows it."""

    day: date
    clock: time | None

    @property
    def needs_zone(self) -> bool:
        """Whether it depends on the place when that is."""
        return self.clock is None or self.clock.tzinfo is None

    def begins(self, place: str) -> datetime:
        """The moment in UTC; of a day, when it begins there."""
        if self.clock is None:
            return first_moment(self.day, zone(place))
        local = datetime.combine(self.day, self.clock)
        return local.astimezone(UTC) if local.tzinfo else shown_at(local, zone(place))[0]

    def ends(self, place: str) -> datetime:
        """The moment in UTC; of a day, when it is over there."""
        if self.clock is None:
            return first_moment(self.day + timedelta(days=1), zone(place))
        local = datetime.combine(self.day, self.clock)
        return local.astimezone(UTC) if local.tzinfo else shown_at(local, zone(place))[-1]


def written_moment(value: object) -> WrittenMoment:
    """A day or a time as people write it. Raises the error of `wrong`, which is a ValueError."""
    text = _text(value, "a day like 2026-12-24, or a time like 2026-12-24 17:00")
    if not re.fullmatch(_MOMENT, text) or (len(text) > 10 and text[10] not in "T "):
        raise wrong(f'"{text}" is no day and no time', "write one like 2026-12-24, or 2026-12-24 17:00")
    day = _date(text[:10])
    if len(text) == 10:
        return WrittenMoment(day, None)
    try:
        return WrittenMoment(day, time.fromisoformat(text[11:]))
    except ValueError:
        raise wrong(f'"{text}": there is no such time on a clock') from None


def typed_moment(text: str, place: str, now: datetime, *, end: bool) -> datetime:
    """The moment that a person means, in UTC: a time from now (4h), or a day or a time of it as the clock in a place
    shows it. Of a day it is the first one, or with `end` when the day is over.

    Raises the error of `wrong`, which is a ValueError; UnknownZone.
    """
    try:
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        pass
    written = written_moment(text)
    try:
        return written.ends(place) if end else written.begins(place)
    except OverflowError:
        raise wrong(f'"{text}" is too far away') from None


_CALENDAR_NAME: Callable[[object], str] = matching(
    _CALENDAR, "the name of a calendar: lower-case letters, digits and hyphens, beginning with a letter"
)

ZoneWord = Annotated[
    str, PlainValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/London", "UTC"]})
]
DateWord = Annotated[date, PlainValidator(_date), schema_with(_DATE, "2026-12-24")]
DateOrCalendar = Annotated[
    date | str, PlainValidator(_date_or_calendar), schema_with(f"{_DATE}|{_CALENDAR}", "2026-12-24")
]
CalendarWord = Annotated[str, PlainValidator(_CALENDAR_NAME), schema_with(_CALENDAR, "holidays-uk")]
HoursWord = Annotated[
    Hours, PlainValidator(_hours), schema_with(r"\d{1,2}:\d{2}\s*[-–]\s*\d{1,2}:\d{2}", "09:00-16:30")
]
CronWord = Annotated[
    str,
    PlainValidator(_cron),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_CRON, "examples": ["0 9 * * mon-thu"]}),
]
MomentWord = Annotated[WrittenMoment, PlainValidator(written_moment), schema_with(_MOMENT, "2026-12-24 17:00")]
WeekdayWord = Annotated[Weekday, *one_of(Weekday)]
