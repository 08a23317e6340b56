"""Time in the simulated world: it stands still until something takes time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)


class SimulatedClock:
    """A clock that only goes forward, and only when it is told to."""

    def __init__(self, begin: datetime = BEGINNING) -> None:
        self._now = begin

    def now(self) -> datetime:
        """The present moment in UTC."""
        return self._now

    def go_to(self, moment: datetime) -> None:
        """Let it be that moment; one that is past changes nothing."""
        self._now = max(self._now, moment)

    def pass_by(self, span: timedelta) -> None:
        """Let some time pass."""
        self._now += span
