"""Schedules: a gate that opens at certain times, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from tidegate.model.local_time import zone

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

_FROM = datetime(2024, 1, 1, tzinfo=UTC)
"""Where the first time of an expression is looked for when it is checked; any day would do."""

_MOST_TIMES = 500
"""That follow so closely that the gate does not shut between them. After so many it is looked at again."""


class WrongSchedule(ValueError):
    """The expression names no times, and why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The gate opens at each of the times of a cron expression, read from the clock on the wall, and stays so for a
    while.

    As in Debian's cron: a certain time over which a clock set forward leaps comes right after the leap, and one that a
    clock set back shows twice counts once; expressions whose minute or hour begins with `*` follow the time that
    passes.
    """

    cron: str
    timezone: str
    stays: timedelta = timedelta(hours=1)

    def is_open(self, moment: datetime) -> bool:
        """Whether one of the times was less than `stays` ago. Raises UnknownZone."""
        began = next(self._times(moment - self.stays), None)
        return began is not None and began <= moment

    def opened_at(self, moment: datetime) -> datetime | None:
        """The newest of the times that was less than `stays` ago, None where there is none. Raises UnknownZone."""
        found = None
        for time in self._times(moment - self.stays):
            if time > moment:
                break
            found = time
        return found

    def next_after(self, moment: datetime) -> datetime:
        """The first of the times after that. Raises UnknownZone."""
        return next(self._times(moment))

    def changes_at(self, now: datetime) -> datetime | None:
        """When it opens or shuts next, or when to look again; None for never. Raises UnknownZone."""
        times = self._times(now - self.stays)
        first = next(times, None)
        if first is None or first > now:
            return first
        shuts = first + self.stays
        for count, time in enumerate(times):
            if time > shuts or count >= _MOST_TIMES:
                break
            shuts = time + self.stays
        return shuts

    def _times(self, after: datetime) -> Iterator[datetime]:
        """The times after a moment, in UTC and in order, each once."""
        last = after
        for time in CronSim(self.cron, after.astimezone(zone(self.timezone))):
            # within the hour that a clock shows twice the library begins with the first of both
            if (moment := time.astimezone(UTC)) > last:
                yield moment
                last = moment

    def __str__(self) -> str:
        return f"{self.cron} ({self.timezone})"


def check_cron(text: str) -> None:
    """Raises WrongSchedule where the text is no cron expression of five fields, or its times never come."""
    if len(text.split()) != len(FIELDS):
        raise WrongSchedule(f"a schedule has five fields: {', '.join(FIELDS)}")
    try:
        next(CronSim(text, _FROM))
    except CronSimError as error:
        raise WrongSchedule(_which_is_wrong(text, error)) from None
    except StopIteration:
        raise WrongSchedule("there is no such day in any of the next fifty years") from None


def _which_is_wrong(text: str, error: CronSimError) -> str:
    """In our words: which of the fields is wrong, or that they name no day together."""
    for place, (field, word) in enumerate(zip(FIELDS, text.split(), strict=True)):
        alone = ["*"] * len(FIELDS)
        alone[place] = word
        try:
            CronSim(" ".join(alone), _FROM)
        except CronSimError:
            return f'"{word}" is no {field}'
    return "there is no such day: no month that it names is so long" if "day-of-month" in str(error) else str(error)
