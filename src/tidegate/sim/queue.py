"""The task queue of the simulated world: due times, random order, and hints that are lost or come twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tidegate.sim.clock import ServerClock


@dataclass(frozen=True, slots=True)
class HintFaults:
    """The probabilities that a hint is lost, and that it comes again a little later."""

    lost: float = 0.0
    doubled: float = 0.0


class SimulatedQueue:
    """A TaskQueue without threads: whoever drives the world takes the next subject and looks at it."""

    def __init__(self, clock: ServerClock, random: Random, faults: HintFaults) -> None:
        self._clock = clock
        self._random = random
        self.faults = faults
        self._due: dict[str, datetime] = {}
        self._again: list[tuple[datetime, str]] = []

    def hint(self, subject: str, at: datetime | None = None) -> None:
        """Look at the subject now, or at a time; perhaps never, perhaps twice."""
        due = max(at or self._clock.now(), self._clock.now())
        if self.faults.lost and self._random.random() < self.faults.lost:
            return
        if self.faults.doubled and self._random.random() < self.faults.doubled:
            self._again.append((due + timedelta(seconds=self._random.uniform(0, 2)), subject))
        known = self._due.get(subject)
        if known is None or due < known:
            self._due[subject] = due

    @property
    def next_at(self) -> datetime | None:
        """When the next subject is due."""
        times = [*self._due.values(), *(at for at, _ in self._again)]
        return min(times, default=None)

    def take(self) -> str:
        """One of the subjects that are due now, in random order: threads would take them in any."""
        now = self._clock.now()
        self._again, early = (
            [one for one in self._again if one[0] > now],
            [subject for at, subject in self._again if at <= now],
        )
        for subject in early:
            self._due[subject] = now
        subject = self._random.choice(sorted(name for name, at in self._due.items() if at <= now))
        del self._due[subject]
        return subject
