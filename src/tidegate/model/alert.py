"""Alerts of a monitoring system about what runs in an environment, and what they do to a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.actor import Actor, ActorKind

ALERTMANAGER = Actor(ActorKind.SYSTEM, "alertmanager")

MOST_ALERTS = 100
"""Of one incident."""


class OnAlert(StrEnum):
    """What an alert does while a deployment is verified or watched. An incident is opened in any case."""

    NOTE = "note"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fired: by its fingerprint it is known again. Without `resolved_at` it fires still."""

    fingerprint: str
    name: str
    summary: str
    since: datetime
    resolved_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}" if self.summary else self.name


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """An alert as it came in: the labels `service` and `environment` say what it is about."""

    alert: Alert
    service: str | None
    environment: str | None

    @property
    def missing(self) -> str | None:
        """What it lacks to be about something, None where it lacks nothing."""
        labels = {"service": self.service, "environment": self.environment}
        lacking = [f'"{name}"' for name, value in labels.items() if not value]
        return f"it has no label {' and no label '.join(lacking)}" if lacking else None


class AlertOutcome(StrEnum):
    """What became of an alert that came in."""

    OPENED = "opened"
    ADDED = "added"
    KNOWN = "known"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"
