"""Alerts that come in: they open incidents, and hold a rollout or roll it back where the file says so."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.holding import keep_held
from tidegate.engine.incidents import IncidentActs
from tidegate.model.actor import Actor
from tidegate.model.alert import ALERTMANAGER, Alert, AlertOutcome, OnAlert, ReceivedAlert
from tidegate.model.alert_response import answer_to, incident_with, with_alert
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import EnvironmentName, ServiceName, placement_id, split_placement
from tidegate.model.incident import Harm, Incident, IncidentSource
from tidegate.model.placement import Placement
from tidegate.model.rollout import Cause, Rollout
from tidegate.store import events, incident_queries, queries, rows

_LOOKED_AT = 20
"""Of a placement's newest incidents: in older ones no alert is looked for that is told again."""


class NoAlerts(Exception):
    """The server's configuration names no token with which alerts could come in."""


@dataclass(frozen=True, slots=True)
class TakenAlert:
    """What became of an alert; `because` says what is missing of one that is about nothing known."""

    alert: Alert
    outcome: AlertOutcome
    incident: str | None = None
    because: str = ""


class AlertActs:
    """Takes alerts. `token` gives what senders prove themselves with, None where alerts are not taken."""

    def __init__(self, engine: Engine, incidents: IncidentActs, token: Callable[[], str] | None) -> None:
        self._engine = engine
        self._parts = engine.parts
        self._incidents = incidents
        self._token = token

    def is_sender(self, token: str) -> bool:
        """Whether the token is the right one; a wrong one takes as long wherever it differs. Raises NoAlerts."""
        if self._token is None:
            raise NoAlerts
        return hmac.compare_digest(token.encode(), self._token().encode())

    def take(self, alerts: Sequence[ReceivedAlert]) -> tuple[TakenAlert, ...]:
        """Take alerts one after another; each counts once, however often it is told."""
        return tuple(self._take(one) for one in alerts)

    def _take(self, received: ReceivedAlert) -> TakenAlert:
        alert = received.alert
        if received.missing:
            return TakenAlert(alert, AlertOutcome.UNKNOWN, because=received.missing)
        service, environment = ServiceName(received.service or ""), EnvironmentName(received.environment or "")
        place = placement_id(service, environment)
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            if queries.service(connection, service) is None:
                return TakenAlert(alert, AlertOutcome.UNKNOWN, because=f"there is no service called {service!r}")
            placement = queries.placement(connection, place)
            if placement is None:
                because = f"nothing of {service} was ever deployed to {environment!r}"
                return TakenAlert(alert, AlertOutcome.UNKNOWN, because=because)
            taken = self.note(connection, placement, alert, ALERTMANAGER)
        if taken.outcome is not AlertOutcome.KNOWN:
            self.hint(placement)
        return taken

    def hint(self, placement: Placement) -> None:
        """Have the placement looked at, and the gates there: after the transaction in which an alert was noted."""
        self._engine.hint_service({placement.service}, {f"placement:{placement.id}"})

    def note(self, connection: Connection, placement: Placement, alert: Alert, by: Actor) -> TakenAlert:
        """Take an alert about a placement, whose service the transaction has locked."""
        newest = incident_queries.newest_at(connection, placement.id, _LOOKED_AT)
        known = incident_with(newest, alert)
        if alert.resolved_at:
            return self._resolve(connection, known, alert, by)
        if known:
            return TakenAlert(alert, AlertOutcome.KNOWN, known.id)
        incident = next((one for one in newest if one.is_open), None)
        if incident:
            rows.put(connection, with_alert(incident, alert))
            self._incidents.tell(connection, incident, EventKind.INCIDENT_NOTED, f"alert {alert} fires", by)
            taken = TakenAlert(alert, AlertOutcome.ADDED, incident.id)
        else:
            harm = Harm(IncidentSource.ALERT, f"alert {alert}", by, alerts=(alert,))
            taken = TakenAlert(alert, AlertOutcome.OPENED, self._incidents.begin(connection, placement, harm).id)
        self._act(connection, queries.rollout(connection, placement.rollout), alert, by)
        return taken

    def _resolve(self, connection: Connection, known: Incident | None, alert: Alert, by: Actor) -> TakenAlert:
        fired = next((one for one in known.firing if one.fingerprint == alert.fingerprint), None) if known else None
        if known is None or fired is None:
            return TakenAlert(alert, AlertOutcome.KNOWN, known.id if known else None)
        rows.put(connection, with_alert(known, replace(fired, resolved_at=alert.resolved_at)))
        if known.is_open:
            self._incidents.tell(connection, known, EventKind.INCIDENT_NOTED, f"alert {fired} has resolved", by)
        return TakenAlert(alert, AlertOutcome.RESOLVED, known.id)

    def _act(self, connection: Connection, rollout: Rollout | None, alert: Alert, by: Actor) -> None:
        answer = answer_to(alert, rollout)
        if answer is OnAlert.NOTE or rollout is None:
            return
        if answer is OnAlert.ROLLBACK:
            cause = Cause(f"alert {alert}", for_cause=True, actor=by)
            rows.put(connection, replace(rollout, rollback_asked=cause))
            return
        run = queries.run(connection, rollout.run) if rollout.run else None
        if run is None or run.status.is_ended or run.held_by:
            return
        held = keep_held(connection, run, f"alert {alert.name}")
        _, environment = split_placement(rollout.placement)
        about = {"service": str(run.service), "run": str(run.id), "environment": str(environment)}
        text = f"alert {alert} holds {run.label}; to go on: tidegate resume {held.id}"
        events.append(connection, [Event(EventKind.RUN_HELD, text, about, by)], self._parts.clock.now())
