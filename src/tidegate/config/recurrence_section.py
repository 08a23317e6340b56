"""The keys that say when something begins by itself."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from tidegate.config.section import Section
from tidegate.config.time_values import CronWord, ZoneWord
from tidegate.config.values import PositiveDuration, wrong
from tidegate.model.recurrence import Recurrence
from tidegate.model.schedule import Schedule


class RecurrenceSection(Section):
    """So long after it began last, or at certain times."""

    every: Annotated[PositiveDuration | None, Field(description="The time from one to the next.")] = None
    cron: Annotated[CronWord | None, Field(description="Minute, hour, day of the month, month, day of the week.")] = (
        None
    )
    timezone: Annotated[ZoneWord | None, Field(description="The place whose clock counts for `cron`.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.every is None) is (self.cron is None) or (self.cron is None) is not (self.timezone is None):
            raise wrong(
                'expected "every", or "cron" with its "timezone"',
                'write {every: 7d}, or {cron: "30 3 * * mon", timezone: Europe/London}',
            )
        return self

    def rule(self) -> Recurrence:
        """As the server uses it."""
        if self.cron is None or self.timezone is None:
            return Recurrence(every=self.every)
        return Recurrence(schedule=Schedule(self.cron, self.timezone))
