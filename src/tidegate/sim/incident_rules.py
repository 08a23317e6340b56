"""An incident begins with harm, names what did it, and is over when something else has served well for long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.model.actor import ActorKind
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.incident import Incident
from tidegate.model.installation import InstallationState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import placement_of, rollout_of
from tidegate.sim.router import Split
from tidegate.store import incident_queries, queries

PEACE = timedelta(minutes=5)
"""How long something has to serve well until an incident is over by itself: what docs/incidents.md says."""

CLOCKS_DIFFER = timedelta(seconds=2)
"""An event is seen a moment after the clock was read for it."""

_DISTURB = (
    EventKind.ROLLOUT_BEGAN,
    EventKind.ROLLOUT_SHARES,
    EventKind.ROLLOUT_FELL_BACK,
    EventKind.ROLLBACK_DECIDED,
    EventKind.ROLLBACK_ROUTED,
)


class IncidentRules:
    """Follows incidents from the record, and looks at what is installed and routed when one is over."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._open: dict[PlacementId, str] = {}
        self._disturbed: dict[PlacementId, datetime] = {}

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        about, data = recorded.event.about, recorded.event.data
        if recorded.event.kind in _DISTURB:
            self._disturbed[placement_of(recorded)] = self._now
        match recorded.event.kind:
            case EventKind.ROLLBACK_DECIDED if data.get("for_cause"):
                self._check_there_is_one(connection, recorded)
            case EventKind.INCIDENT_OPENED:
                self._check_alone(recorded)
                self._open[placement_of(recorded)] = about["incident"]
                if data.get("rollback"):
                    self._check_names(connection, recorded)
            case EventKind.INCIDENT_CLOSED:
                if self._open.pop(placement_of(recorded), None) != about["incident"]:
                    raise RuleBroken("an incident ends once", recorded.event.text)
                if recorded.event.actor.kind is not ActorKind.PERSON:
                    self._check_peace(connection, recorded)

    def check_over(self, connection: Connection) -> None:
        """Look at incidents when nothing has moved for longer than they need. Raises RuleBroken."""
        busy = {one.placement for one in queries.active_rollouts(connection) if one.state.owns_placement}
        for placement, name in self._open.items():
            found = _known(connection, name)
            if placement not in busy and self._why_not_over(connection, found) is None and self._is_whole(found):
                raise RuleBroken("an incident ends when all has been well for long", f"{placement}: {found.reason}")

    @property
    def _now(self) -> datetime:
        clock = self._outside.server_clock
        return clock.real(clock.now())

    def _check_there_is_one(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Whether the harm for which something goes back belongs to an incident that was open at that moment."""
        newest = incident_queries.newest_at(connection, placement_of(recorded), 1)
        if not any(one.closed_at is None or one.closed_at >= recorded.at for one in newest):
            raise RuleBroken("what goes back for cause has an incident", str(placement_of(recorded)))

    def _check_alone(self, recorded: RecordedEvent) -> None:
        other = self._open.get(placement_of(recorded))
        if other:
            raise RuleBroken("one incident at a time in a place", f"{recorded.event.text}, and {other} is open")

    def _check_names(self, connection: Connection, recorded: RecordedEvent) -> None:
        """It names what goes back, what that goes back to, and no commits but those that came between."""
        found, rollout = _known(connection, recorded.event.about["incident"]), rollout_of(connection, recorded)
        bad = queries.deployment(connection, rollout.new) if rollout.new else None
        good = queries.deployment(connection, rollout.old) if rollout.old else None
        named = (found.deployment, found.good, found.commit, found.up_to_order, found.after_order)
        wanted = (
            bad.id if bad else None,
            good.id if good else None,
            bad.commit if bad else None,
            self._outside.version_of_commit(bad.commit).order if bad else 0,
            self._outside.version_of_commit(good.commit).order if good else 0,
        )
        if named != wanted or recorded.event.about.get("deployment") != found.deployment:
            raise RuleBroken("an incident names what did harm", f"{named}, not {wanted}")
        cause = rollout.cause or rollout.held_at_floor
        if cause is None or not cause.for_cause or rollout.drill:
            raise RuleBroken("only harm begins an incident", recorded.event.text)

    def _check_peace(self, connection: Connection, recorded: RecordedEvent) -> None:
        placement, clock = placement_of(recorded), self._outside.server_clock
        wrong = self._why_not_over(connection, _known(connection, recorded.event.about["incident"]))
        if wrong:
            raise RuleBroken("an incident is over when all is well", f"{recorded.event.text}: {wrong}")
        if clock.behind or (clock.set_right_at and self._now - clock.set_right_at < PEACE):
            return  # what it showed meanwhile was no time
        since = self._disturbed.get(placement)
        if since and self._now - since < PEACE - CLOCKS_DIFFER:
            raise RuleBroken("an incident is over after five minutes of peace", f"{placement}, not at {since:%H:%M:%S}")

    def _why_not_over(self, connection: Connection, incident: Incident) -> str | None:
        """What serves as it should not where an incident is over; None where that is one that did no harm."""
        serving = self._serving(incident.placement)
        if serving is None:
            return "nothing serves alone"
        deployment = queries.deployment(connection, serving)
        assert deployment is not None
        proven_since = deployment.proven_at is not None and deployment.proven_at > incident.opened_at
        if deployment.is_quarantined or (serving == incident.deployment and not proven_since):
            return f"{deployment.label} serves, which did it"
        return None

    def _is_whole(self, incident: Incident) -> bool:
        """Whether all instances of what serves there alone are healthy, and stay so."""
        serving = self._serving(incident.placement)
        ready = serving and self._outside.target.settled(serving).state is InstallationState.READY
        return bool(ready) and not self._outside.target.is_dying(serving)

    def _serving(self, placement: PlacementId) -> DeploymentId | None:
        split = Split.of(self._outside.router.shares(placement)).fractions
        return next(iter(split)) if len(split) == 1 else None


def _known(connection: Connection, incident: str) -> Incident:
    found = incident_queries.incident(connection, incident)
    assert found is not None
    return found
