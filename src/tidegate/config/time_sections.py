"""The sections about time: windows and schedules of a gate; calendars and freezes of the server."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from tidegate.config.section import Section
from tidegate.config.time_values import (
    CalendarWord,
    CronWord,
    DateOrCalendar,
    DateWord,
    HoursWord,
    MomentWord,
    WeekdayWord,
    ZoneWord,
)
from tidegate.config.values import PositiveDuration, ServiceWord, wrong
from tidegate.model.window import WHOLE_DAY, Weekday

MOST_DATES = 1000
MOST_WINDOWS = 20

_ZONE = "The place whose clock on the wall counts, like Europe/London."
_REASON = 200
"""Characters: it is shown wherever somebody waits."""


class WindowSection(Section):
    """Hours in which the gate may open."""

    days: Annotated[
        tuple[WeekdayWord, ...], Field(min_length=1, description="Days of the week; every day without it.")
    ] = tuple(Weekday)
    hours: Annotated[
        HoursWord,
        Field(
            description="From one time until just before another; over midnight they belong to the day on which they "
            "begin. The whole day without it.",
            json_schema_extra={"default": "00:00-24:00"},
        ),
    ] = WHOLE_DAY
    timezone: Annotated[ZoneWord, Field(description=_ZONE)]
    left_out: Annotated[
        tuple[DateOrCalendar, ...],
        Field(
            alias="except",
            min_length=1,
            max_length=MOST_DATES,
            description="Dates, and names of the server's calendars, on which the window is closed all day.",
        ),
    ] = ()


class ScheduleSection(Section):
    """Times at which the gate opens for a while."""

    cron: Annotated[CronWord, Field(description="Minute, hour, day of the month, month, day of the week.")]
    timezone: Annotated[ZoneWord, Field(description=_ZONE)]
    stays: Annotated[PositiveDuration, Field(alias="for", description="How long it stays open.")] = timedelta(hours=1)


class DateRangeSection(Section):
    """Days from one to another."""

    first: Annotated[DateWord, Field(alias="from", description="The first of the days.")]
    last: Annotated[DateWord, Field(alias="to", description="The last of the days.")]

    @model_validator(mode="after")
    def _in_order(self) -> DateRangeSection:
        if self.last < self.first:
            raise wrong(f"{self.last} is before {self.first}", "turn them round")
        return self


class CalendarSection(Section):
    """Days that have a name together."""

    dates: Annotated[tuple[DateWord, ...], Field(min_length=1, max_length=MOST_DATES, description="Single days.")] = ()
    ranges: Annotated[
        tuple[DateRangeSection, ...], Field(min_length=1, max_length=MOST_DATES, description="Days in a row.")
    ] = ()
    timezone: Annotated[ZoneWord, Field(description=_ZONE)]

    @model_validator(mode="after")
    def _has_days(self) -> CalendarSection:
        if not self.dates and not self.ranges:
            raise wrong("a calendar without days", "add dates or ranges")
        return self

    @property
    def days(self) -> tuple[tuple[date, date], ...]:
        """The first and the last of each of its days in a row."""
        return (*((one, one) for one in self.dates), *((one.first, one.last) for one in self.ranges))


class FreezeSection(Section):
    """A time in which nothing new enters the environment."""

    begins: Annotated[
        MomentWord | None, Field(alias="from", description="When it begins; of a day, at its first moment.")
    ] = None
    ends: Annotated[MomentWord | None, Field(alias="to", description="When it ends; of a day, when that is over.")] = (
        None
    )
    calendar: Annotated[
        CalendarWord | None, Field(description="In place of from and to: the days of a calendar of the server.")
    ] = None
    timezone: Annotated[ZoneWord | None, Field(description=_ZONE)] = None
    reason: Annotated[str, Field(min_length=1, max_length=_REASON, description="Why; shown to whoever waits.")]
    services: Annotated[
        tuple[ServiceWord, ...], Field(min_length=1, description="Only for these; for all without it.")
    ] = ()

    @model_validator(mode="after")
    def _when(self) -> FreezeSection:
        if self.calendar is not None:
            if self.begins or self.ends or self.timezone:
                raise wrong('"calendar" says when, so "from", "to" and "timezone" have no meaning here', "remove them")
            return self
        if self.begins is None or self.ends is None:
            raise wrong('a freeze needs "from" and "to", or a "calendar"')
        if (self.begins.needs_zone or self.ends.needs_zone) and self.timezone is None:
            raise wrong('"timezone" is missing', "say whose clock counts, like Europe/London")
        place = self.timezone or "UTC"
        if self.ends.ends(place) <= self.begins.begins(place):
            raise wrong("it ends before it begins", "turn from and to round")
        return self
