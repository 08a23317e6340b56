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


class ServerClock:
    """What the server's machine shows: the time, or an earlier one since somebody set it back."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self.behind = timedelta(0)
        self.set_right_at: datetime | None = None
        """When it jumped forward last: what takes so long, by what it shows, was over at once then."""

    def set_behind(self, behind: timedelta) -> None:
        """Let it be so far behind from now on."""
        if behind < self.behind:
            self.set_right_at = self._clock.now()
        self.behind = behind

    def now(self) -> datetime:
        """What it shows now, in UTC."""
        return self.shown(self._clock.now())

    def shown(self, moment: datetime) -> datetime:
        """What it shows at a moment of the world."""
        return moment - self.behind

    def real(self, shown: datetime) -> datetime:
        """When it shows that, as long as nobody touches it."""
        return shown + self.behind
