"""The dead man at work, in a process that lives on without the server: it obeys notes that are overdue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.model.dead_man import Fallback
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.routers.dead_man_notes import DeadManNotes, KeptNote
from tidegate.routers.router import Router, RouterRefused
from tidegate.routers.routing_record import Phase, RoutingRecord, begin

log = logging.getLogger(__name__)

Count = Callable[[PlacementId, Collection[DeploymentId]], Mapping[DeploymentId, Counters] | None]


@dataclass(slots=True)
class _Counted:
    """What was counted since a judgement, at a time by the machine's."""

    judged_at: float
    snapshots: list[Snapshot] = field(default_factory=list)


class DeadManWatch:
    """Looks at the notes whenever it is asked to, and sends traffic back by the router's own means.

    What it did is in the router's record in the same moment as the split that it wants, so that whoever comes finds
    either nothing or all of it. It is safe to be killed and begun anew at any point, and to run beside a server.
    """

    def __init__(self, notes: DeadManNotes, router: Router, count: Count, now: Callable[[], datetime]) -> None:
        """`count` reads what a router counted, None where it cannot; `now` is the clock for what people read."""
        self._notes = notes
        self._router = router
        self._count = count
        self._now = now
        self._counted: dict[PlacementId, _Counted] = {}
        self._troubles: dict[PlacementId, str] = {}

    def look(self) -> None:
        """Obey what is overdue. Trouble with one placement is said once, and keeps no other waiting."""
        for kept in self._notes.all():
            placement = kept.note.placement
            try:
                self._look_at(kept)
            except (OSError, RouterRefused) as error:
                if self._troubles.get(placement) != str(error):
                    log.error("%s cannot be sent back: %s; it is tried again", placement, error)
                self._troubles[placement] = str(error)
            except StaleGeneration:
                log.info("%s was taken over by a server", placement)
            else:
                self._troubles.pop(placement, None)

    def _look_at(self, kept: KeptNote) -> None:
        record = self._notes.records.read(kept.note.placement)
        if record and record.fallback is None and kept.note.is_for(record.generation, record.serving):
            self._keep_counting(kept, record)
        if record and record.fallback is None and self._is_due(kept, record):
            record = self._fall_back(kept)
        if record and record.fallback and record.phase is not Phase.SETTLED:
            self._router.set_shares(record.wanted, record.generation)

    def _is_due(self, kept: KeptNote, record: RoutingRecord) -> bool:
        time = self._notes.time
        if not kept.note.is_for(record.generation, record.serving):
            return False
        return kept.boot != time.boot or time.seconds() >= kept.overdue_at

    def _fall_back(self, seen: KeptNote) -> RoutingRecord | None:
        """Want the split of the note, unless somebody was here meanwhile; the record as it is now."""
        placement = seen.note.placement
        with self._notes.records.one_at_a_time(placement):
            kept, record = self._notes.read(placement), self._notes.records.read(placement)
            if kept is None or record is None or not self._is_due(kept, record):
                return record
            if kept.boot != self._notes.time.boot:
                self._notes.begin_time_of(kept)
                return record
            record = self._with_fallback(kept, record)
            self._notes.records.write(record)
        log.warning("nobody has judged %s: all of its traffic goes back to what served before", placement)
        return record

    def _keep_counting(self, kept: KeptNote, record: RoutingRecord) -> None:
        """Take a snapshot once a batch while nobody judges, so that what happens can be judged later as it was."""
        placement = kept.note.placement
        counted = self._counted.get(placement)
        if counted is None or counted.judged_at != kept.judged_at:
            counted = self._counted[placement] = _Counted(kept.judged_at)
        blind_for = timedelta(seconds=self._notes.time.seconds() - kept.judged_at)
        if kept.boot == self._notes.time.boot and blind_for >= kept.note.counts_after(len(counted.snapshots)):
            self._take(counted, kept, record)

    def _take(self, counted: _Counted, kept: KeptNote, record: RoutingRecord) -> None:
        counters = self._count(kept.note.placement, [route.deployment for route in kept.note.back_to.routes])
        if counters is not None:
            counted.snapshots.append(Snapshot(self._now(), record.serving_generation, counters))

    def _with_fallback(self, kept: KeptNote, record: RoutingRecord) -> RoutingRecord:
        note = kept.note
        unjudged = timedelta(seconds=self._notes.time.seconds() - kept.judged_at)
        counted = self._counted.pop(note.placement, _Counted(kept.judged_at))
        self._take(counted, kept, record)
        done = Fallback(
            rollout=note.rollout,
            generation=note.fallback_generation,
            at=self._now(),
            unjudged=unjudged,
            counted=tuple(counted.snapshots),
        )
        return replace(begin(record, note.back_to, note.fallback_generation), fallback=done)
