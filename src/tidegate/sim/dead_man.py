"""The dead man of the simulated world: he lives on when the server ends, and obeys its notes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

from tidegate.metrics.source import SourceFailed
from tidegate.model.dead_man import Fallback, Note
from tidegate.model.figures import Snapshot
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import PlacementId
from tidegate.routers.router import RouterRefused
from tidegate.sim.agenda import Agenda
from tidegate.sim.clock import SimulatedClock
from tidegate.sim.router import SimulatedRouter
from tidegate.sim.traffic import SimulatedTraffic

LATE_AT_MOST = timedelta(seconds=5)
"""He looks now and then only, and may be killed and begun anew."""

_AGAIN = timedelta(seconds=1)


class SimulatedDeadMan:
    """A DeadMan. His time is the world's: no clock that somebody sets back changes it."""

    def __init__(
        self,
        clock: SimulatedClock,
        random: Random,
        agenda: Agenda,
        router: SimulatedRouter,
        traffic: SimulatedTraffic,
    ) -> None:
        self._clock = clock
        self._random = random
        self._agenda = agenda
        self._router = router
        self._traffic = traffic
        self._notes: dict[PlacementId, tuple[Note, datetime]] = {}
        self._done: dict[PlacementId, Fallback] = {}
        self._planned: set[PlacementId] = set()
        self._counted: dict[PlacementId, list[Snapshot]] = {}
        self.shown: Callable[[datetime], datetime] = lambda at: at
        """What the clock of his machine, which is the server's, shows at a time."""

    def leave(self, note: Note) -> None:
        """As `DeadMan.leave`."""
        self._notes[note.placement] = (note, self._clock.now() + note.after)
        self._counted[note.placement] = []
        self._plan(note.placement, self._clock.now() + note.counts_after(0))

    def forget(self, placement: PlacementId) -> None:
        """As `DeadMan.forget`."""
        self._notes.pop(placement, None)

    def fell_back(self, placement: PlacementId) -> Fallback | None:
        """As `DeadMan.fell_back`."""
        done, held = self._done.get(placement), self._router.held(placement)
        return done if done and held and held.generation == done.generation else None

    def _plan(self, placement: PlacementId, at: datetime) -> None:
        if placement in self._planned:
            return
        self._planned.add(placement)
        late = timedelta(seconds=self._random.uniform(0, LATE_AT_MOST.total_seconds()))
        self._agenda.plan(at + late, lambda: self._look_at(placement))

    def _look_at(self, placement: PlacementId) -> None:
        self._planned.discard(placement)
        if placement not in self._notes:
            return
        note, overdue_at = self._notes[placement]
        held = self._router.held(placement)
        judged_at, counted = overdue_at - note.after, self._counted[placement]
        if self._clock.now() >= judged_at + note.counts_after(len(counted)):
            self._count(note)
        if self._clock.now() < overdue_at or held is None:
            # what could not be counted is due still, and he looks once a second all the same
            due = min(overdue_at, judged_at + note.counts_after(len(counted)))
            self._plan(placement, max(due, self._clock.now() + _AGAIN))
        elif note.is_for(held.generation, held.serves) and not self._falls_back(note, overdue_at):
            self._plan(placement, self._clock.now() + _AGAIN)

    def _falls_back(self, note: Note, overdue_at: datetime) -> bool:
        """Send the traffic back, with all that the router is told in one moment; False where it takes nothing."""
        self._count(note)
        now, counted = self._clock.now(), tuple(self._counted[note.placement])
        unjudged = note.after + (now - overdue_at)
        done = Fallback(note.rollout, note.fallback_generation, self.shown(now), unjudged, counted)
        try:
            self._router.set_shares(note.back_to, note.fallback_generation)
        except (RouterRefused, StaleGeneration):
            return False
        self._done[note.placement] = done
        return True

    def _count(self, note: Note) -> None:
        """Take a snapshot, where the source answers."""
        held = self._router.held(note.placement)
        if held is None or not note.is_for(held.generation, held.serves):
            return
        with suppress(SourceFailed):
            counters = self._traffic.counters(note.placement, [one.deployment for one in note.back_to.routes])
            snapshot = Snapshot(self.shown(self._clock.now()), held.serving_generation, counters)
            self._counted[note.placement].append(snapshot)
