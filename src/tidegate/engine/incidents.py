"""What people do about incidents: open and close one, and see what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.deployment import Deployment
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import EnvironmentName, IncidentId, PlacementId, ServiceName, placement_id
from tidegate.model.incident import Harm, Incident, IncidentSource, closed, with_suspects
from tidegate.model.incident_story import IncidentStory
from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout
from tidegate.store import events, gate_queries, incident_queries, queries, rows

LIST = "tidegate incident list"


class IncidentActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def open(self, service: str, environment: str, reason: str, actor: Actor) -> Incident:
        """Say that something of a service harms. Raises Refused where an incident is open there already."""
        if not reason.strip():
            raise Refused(Refusal.INVALID, "an incident is recorded with its reason", "add --reason TEXT")
        place = placement_id(ServiceName(service), EnvironmentName(environment))
        with self._changing(service, place) as (connection, placement):
            known = incident_queries.open_at(connection, place)
            if known:
                raise Refused(
                    Refusal.CONFLICT,
                    f"incident {known.id} of {service} in {environment} is open already: {known.reason}",
                    f"tidegate incident show {known.id}",
                )
            return self.begin(connection, placement, Harm(IncidentSource.PERSON, reason.strip(), actor))

    def close(self, incident_id: str, reason: str, actor: Actor) -> Incident:
        """Say that it is over. Raises Refused where it is already."""
        with self._parts.database.reading() as connection:
            found = self.known(connection, incident_id)
        with self._changing(found.service, found.placement) as (connection, _):
            found = self.known(connection, incident_id)
            if not found.is_open:
                raise Refused(Refusal.CONFLICT, f"incident {found.id} is over already: {found.closed_because}")
            now = self._parts.clock.now()
            because = f"closed by {actor.name}" + (f": {reason.strip()}" if reason.strip() else "")
            found = closed(found, actor, because, now)
            rows.put(connection, found)
            self.tell(connection, found, EventKind.INCIDENT_CLOSED, f"the incident is over: {because}", actor)
        return found

    def known(self, connection: Connection, incident_id: str) -> Incident:
        """The incident with that id. Raises Refused."""
        found = self.find(connection, incident_id)
        if found is None:
            raise not_found("incident", incident_id, LIST)
        return found

    def find(self, connection: Connection, incident_id: str) -> Incident | None:
        """The same, None where there is none."""
        return incident_queries.incident(connection, incident_id.lower())

    def story(self, connection: Connection, incident_id: str) -> IncidentStory:
        """An incident with its time line and the commits in question. Raises Refused."""
        found = self.known(connection, incident_id)
        rollout = queries.rollout(connection, found.rollout) if found.rollout else None
        return IncidentStory(
            found,
            gate_queries.changes_between(connection, found.service, found.after_order, found.up_to_order),
            incident_queries.time_line(connection, found, _begins(found, rollout)),
        )

    def begin(self, connection: Connection, placement: Placement, harm: Harm) -> Incident:
        """Open an incident of what serves at a placement, or is being rolled out there, in this transaction."""
        now = self._parts.clock.now()
        rollout = queries.rollout(connection, placement.rollout)
        active = rollout if rollout and not rollout.state.is_ended else None
        suspect = active.new if active else placement.serving
        bad = queries.deployment(connection, suspect) if suspect else None
        made = Incident(
            id=IncidentId(self._parts.new_id()),
            placement=placement.id,
            service=placement.service,
            environment=placement.environment,
            source=harm.source,
            reason=harm.reason,
            opened_at=now,
            opened_by=harm.by,
            rollout=active.id if active else None,
            run=active.run if active else None,
            evidence=active.judgement if active else None,
            alerts=harm.alerts,
        )
        made = with_suspects(made, bad, self._good(connection, placement, bad, active))
        rows.put(connection, made)
        text = f"an incident begins: {harm.reason}"
        self.tell(connection, made, EventKind.INCIDENT_OPENED, text, harm.by, source=harm.source.value)
        return made

    def tell(
        self, connection: Connection, incident: Incident, kind: EventKind, text: str, actor: Actor, **data: object
    ) -> None:
        """Record something of an incident."""
        events.append(connection, [Event(kind, text, incident.about(), actor, data)], self._parts.clock.now())

    def _good(
        self, connection: Connection, placement: Placement, bad: Deployment | None, rollout: Rollout | None
    ) -> Deployment | None:
        if rollout and rollout.old:
            return queries.deployment(connection, rollout.old)
        return queries.last_good(connection, placement.id, bad.id) if bad else None

    @contextmanager
    def _changing(self, service: str, place: PlacementId) -> Iterator[tuple[Connection, Placement]]:
        """A transaction in which nobody else changes the placement; afterwards it is looked at, and the gates there."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            placement = queries.placement(connection, place)
            if placement is None:
                raise not_found("placement", place.replace("/", " in "), f"tidegate status {service}")
            yield connection, placement
        self._engine.hint_service({service}, {f"placement:{place}"})


def _begins(incident: Incident, rollout: Rollout | None) -> datetime:
    return min(incident.opened_at, rollout.began_at) if rollout else incident.opened_at
