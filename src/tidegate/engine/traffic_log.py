"""The traffic log: once a minute what routers counted is added to the minutes and hours of its placement."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.alerts import AlertActs
from tidegate.engine.parts import Parts
from tidegate.metrics.source import SourceFailed
from tidegate.model.actor import SYSTEM
from tidegate.model.alert import Alert
from tidegate.model.error_budget import BUDGET_OVER, SLOW, Burn, burning, is_used_up
from tidegate.model.event import Event, EventKind
from tidegate.model.pipeline import Mode, Pipeline, Stage
from tidegate.model.placement import Placement
from tidegate.model.traffic import Span, TrafficReading
from tidegate.store import events, queries, rows, traffic_queries

log = logging.getLogger(__name__)

BUDGET = "error budget"
"""What the alert of one that burns is called, and known again by."""

_LONGEST = max(one.long for one in SLOW)


@dataclass(slots=True)
class TrafficLog:
    """Reads the routers' counters, and says when an error budget begins to burn and when it does not any more."""

    parts: Parts
    alerts: AlertActs | None = None
    """Takes a budget that burns fast as an alert."""

    def look(self) -> None:
        """Add what was counted since the last look. A router that does not answer is asked again the next time: its
        counters go on."""
        for placement in self._placements():
            seen = self._read(placement)
            if seen is not None:
                with self.parts.database.writing() as connection:
                    self.parts.database.lock_service(connection, placement.service)
                    changed = self._note(connection, placement, seen)
                if changed and self.alerts:
                    self.alerts.hint(placement)

    def forget_old(self) -> None:
        """Forget what is kept no longer."""
        with self.parts.database.writing() as connection:
            traffic_queries.forget_old(connection, self.parts.clock.now())

    def _placements(self) -> tuple[Placement, ...]:
        with self.parts.database.reading() as connection:
            return tuple(one for one in queries.placements(connection) if one.serving)

    def _read(self, placement: Placement) -> TrafficReading | None:
        names = [part.deployment for part in placement.arrangement.parts]
        try:
            counters = self.parts.metrics.counters(placement.id, names)
        except SourceFailed as error:
            log.warning("the traffic of %s: %s", placement.id, error)
            return None
        return TrafficReading(placement.id, self.parts.clock.now(), counters)

    def _note(self, connection: Connection, placement: Placement, seen: TrafficReading) -> bool:
        """Keep a reading; give whether the budget began to burn, or does so no longer."""
        before = traffic_queries.reading(connection, placement.id)
        if before is not None:
            if seen.at < before.at:  # the clock was set back: what is counted again later counts once
                seen = replace(seen, at=before.at)
            counted = seen.counted_since(before)
            if counted.requests and not self._is_loaded(connection, placement, before.at, seen.at):
                traffic_queries.note(connection, seen, before, counted)
            seen = replace(seen, burning_since=self._burning_since(connection, placement, before.burning_since))
            self._demote(connection, placement)
        rows.put(connection, seen)
        return before is not None and seen.burning_since != before.burning_since

    def _is_loaded(self, connection: Connection, placement: Placement, begin: datetime, end: datetime) -> bool:
        """Whether a load check's requests are among those that were counted: they are no users'."""
        rollout = queries.rollout(connection, placement.rollout)
        return rollout is not None and rollout.loaded is not None and rollout.loaded.touches(begin, end)

    def _burning_since(self, connection: Connection, placement: Placement, since: datetime | None) -> datetime | None:
        """Since when its budget burns fast; that it begins and ends is an event."""
        now = self.parts.clock.now()
        fast = next((one for one in burns_of(connection, placement, now) if one.is_fast), None)
        if fast and since is None:
            self._say(connection, placement, EventKind.ERROR_BUDGET_BURNS, f"the error budget burns: {fast.text}", now)
            self._alert(connection, placement, Alert(BUDGET, BUDGET, fast.text, now))
            return now
        if since and fast is None:
            text = "the error budget does not burn fast any more"
            self._say(connection, placement, EventKind.ERROR_BUDGET_CALM, text, now)
            self._alert(connection, placement, Alert(BUDGET, BUDGET, "", since, now))
            return None
        return since

    def _demote(self, connection: Connection, placement: Placement) -> None:
        """Take the right to deploy by policy from a service that used its error budget up since that was granted."""
        service = queries.service(connection, placement.service)
        granted = service is not None and service.grant is Mode.DEPLOYMENT and service.demoted_because is None
        availability = availability_of(connection, placement)
        if not (service and granted and availability and self.parts.environment(placement.environment).protected):
            return
        now = self.parts.clock.now()
        since = max(now - BUDGET_OVER, service.granted_at or service.added_at)
        requests, errors = traffic_queries.counted_since(connection, placement.id, since) or (0, 0)
        if not is_used_up(availability, requests, errors):
            return
        because = f"{errors:,} of {requests:,} requests failed in {placement.environment}: its error budget is used up"
        rows.put(connection, replace(service, demoted_because=because))
        anew = f"an administrator grants the mode anew: tidegate service mode {service.name} deployment --reason …"
        text = f"a person opens the gates again: {because}; {anew}"
        self._say(connection, placement, EventKind.SERVICE_DEMOTED, text, now)

    def _alert(self, connection: Connection, placement: Placement, alert: Alert) -> None:
        known = queries.placement(connection, placement.id)
        if self.alerts and known:
            self.alerts.note(connection, known, alert, SYSTEM)

    def _say(self, connection: Connection, placement: Placement, kind: EventKind, text: str, now: datetime) -> None:
        about = {"service": str(placement.service), "environment": str(placement.environment)}
        events.append(connection, [Event(kind, text, about)], now)


def burns_of(connection: Connection, placement: Placement, now: datetime) -> tuple[Burn, ...]:
    """How a placement's error budget burns, by the objective of what serves there; none without one."""
    availability = availability_of(connection, placement)
    if availability is None:
        return ()
    longest = now - _LONGEST
    traffic = [row for span in Span for row in traffic_queries.since(connection, placement.id, span, longest)]
    return burning(availability, traffic, now)


def availability_of(connection: Connection, placement: Placement) -> float | None:
    """The objective in the file of the release that serves there."""
    serving = queries.deployment(connection, placement.serving) if placement.serving else None
    release = queries.release(connection, serving.release) if serving else None
    verifies = (one.verify for one in _stages(release.pipeline, placement)) if release else ()
    return next((one.availability for one in verifies if one), None)


def _stages(pipeline: Pipeline, placement: Placement) -> Iterator[Stage]:
    return (one for one in pipeline.stages if one.environment == placement.environment)
