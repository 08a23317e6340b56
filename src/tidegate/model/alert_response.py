"""What an alert changes: the incident that it belongs to, and the rollout that it may be about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.model.alert import MOST_ALERTS, Alert, OnAlert
from tidegate.model.incident import Incident
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState


def incident_with(incidents: Sequence[Incident], alert: Alert) -> Incident | None:
    """The incident that has had this very firing of the alert: it is told again and again while it fires."""
    for incident in incidents:
        for one in incident.alerts:
            if (one.fingerprint, one.since) == (alert.fingerprint, alert.since):
                return incident
    return None


def with_alert(incident: Incident, alert: Alert) -> Incident:
    """The incident with one more alert, or with this one as it is now; of very many the oldest resolved ones go."""
    others = [one for one in incident.alerts if one.fingerprint != alert.fingerprint]
    resolved = [one for one in others if one.resolved_at]
    while len(others) >= MOST_ALERTS and resolved:
        others.remove(resolved.pop(0))
    return replace(incident, alerts=(*others, alert)[-MOST_ALERTS:])


def answer_to(alert: Alert, rollout: Rollout | None) -> OnAlert:
    """What the file wants of an alert now.

    Only a note, where no release is rolled out or watched, and of what fired before the rollout began.
    """
    if rollout is None or rollout.state.is_ended or rollout.state is RolloutState.RETURNING:
        return OnAlert.NOTE
    if rollout.kind is not RolloutKind.RELEASE or rollout.verify is None or alert.since < rollout.began_at:
        return OnAlert.NOTE
    return OnAlert.NOTE if rollout.rollback_asked else rollout.verify.alerts
