"""From the sections about time, and about answers from outside, to the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from tidegate.config.external_sections import ExternalSection
from tidegate.config.time_sections import CalendarSection, FreezeSection, ScheduleSection, WindowSection
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.calendar import Calendar, Days
from tidegate.model.external import ExternalRule
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName
from tidegate.model.schedule import Schedule
from tidegate.model.window import Window

_THE_FILE = Actor(ActorKind.SYSTEM, "tidegate-server.yaml")
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""When what stands in the server's configuration is said to have been made: it was there before everything."""


def window(section: WindowSection) -> Window:
    """The hours in which a gate may open."""
    return Window(
        timezone=section.timezone,
        days=tuple(dict.fromkeys(section.days)),
        hours=section.hours,
        left_out=tuple(Days(one, one) for one in section.left_out if isinstance(one, date)),
        calendar_names=tuple(one for one in section.left_out if isinstance(one, str)),
    )


def schedule(section: ScheduleSection) -> Schedule:
    """The times at which a gate opens."""
    return Schedule(section.cron, section.timezone, section.stays)


def external(section: ExternalSection) -> ExternalRule:
    """Whom a gate asks."""
    return ExternalRule(section.url, section.secret, section.timeout)


def calendars(sections: Mapping[str, CalendarSection]) -> tuple[Calendar, ...]:
    """The calendars of the server."""
    return tuple(
        Calendar(name, one.timezone, tuple(Days(first, last) for first, last in sorted(one.days)))
        for name, one in sections.items()
    )


def freezes(
    environment: EnvironmentName, sections: Iterable[FreezeSection], known: Iterable[Calendar]
) -> Iterator[Freeze]:
    """The freezes of an environment in the server's configuration, one for each service and each stretch of days."""
    by_name = {one.name: one for one in known}
    for index, section in enumerate(sections, 1):
        stretches = list(_stretches(section, by_name))
        place = by_name[section.calendar].timezone if section.calendar else section.timezone or "UTC"
        for number, (begins, ends) in enumerate(stretches, 1):
            for service in section.services or (None,):
                yield Freeze(
                    id=f"{environment}.{index}.{number}" + (f".{service}" if service else ""),
                    environment=environment,
                    begins=begins,
                    ends=ends,
                    reason=section.reason,
                    by=_THE_FILE,
                    made_at=_ALWAYS,
                    timezone=place,
                    service=service,
                )


def _stretches(section: FreezeSection, known: Mapping[str, Calendar]) -> Iterator[tuple[datetime, datetime]]:
    if section.calendar is not None:
        yield from known[section.calendar].edges()
    elif section.begins and section.ends:
        place = section.timezone or "UTC"
        yield section.begins.begins(place), section.ends.ends(place)
