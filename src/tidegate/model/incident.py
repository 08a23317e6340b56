"""An incident: the time from harm to recovery, what it is about, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.actor import Actor
from tidegate.model.alert import Alert
from tidegate.model.deployment import Deployment
from tidegate.model.ids import (
    Commit,
    DeploymentId,
    EnvironmentName,
    IncidentId,
    PlacementId,
    RolloutId,
    RunId,
    ServiceName,
)
from tidegate.model.verdict import Judgement

HEALTHY_FOR = timedelta(minutes=5)
"""How long a good deployment has to serve, healthy and at rest, until an incident is over by itself."""

COUNTED_FOR = timedelta(days=30)
"""How long an incident that is over is part of the evidence at gates."""


class IncidentSource(StrEnum):
    """What opened an incident."""

    VERIFICATION = "verification"
    WATCH = "watch"
    CRASH = "crash"
    ROLLBACK = "rollback"
    ALERT = "alert"
    PERSON = "person"

    @property
    def words(self) -> str:
        """As in the middle of a sentence."""
        return _WORDS[self]


_WORDS = {
    IncidentSource.VERIFICATION: "a failed verification",
    IncidentSource.WATCH: "a breach after the rollout had passed",
    IncidentSource.CRASH: "a deployment that failed",
    IncidentSource.ROLLBACK: "a person's rollback",
    IncidentSource.ALERT: "an alert",
    IncidentSource.PERSON: "a person",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Harm at a placement, from `opened_at` until `closed_at`.

    `deployment` is the one in question, `good` the last good one before it: the commits in question are those after
    `after_order` up to `up_to_order`. `evidence` is the judgement that found the harm, None where none did.
    `healthy_since` says since when all is well again; an incident without `closed_at` is open.
    """

    id: IncidentId
    placement: PlacementId
    service: ServiceName
    environment: EnvironmentName
    source: IncidentSource
    reason: str
    opened_at: datetime
    opened_by: Actor
    deployment: DeploymentId | None = None
    commit: Commit | None = None
    good: DeploymentId | None = None
    good_commit: Commit | None = None
    after_order: int = 0
    up_to_order: int = 0
    rollout: RolloutId | None = None
    run: RunId | None = None
    evidence: Judgement | None = None
    alerts: tuple[Alert, ...] = ()
    healthy_since: datetime | None = None
    closed_at: datetime | None = None
    closed_by: Actor | None = None
    closed_because: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.closed_at is None

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that have not resolved."""
        return tuple(one for one in self.alerts if one.resolved_at is None)

    def lasted(self, now: datetime) -> timedelta:
        """How long it lasted, or has so far."""
        return (self.closed_at or now) - self.opened_at

    def about(self) -> dict[str, str]:
        """What events of it are about."""
        named = {"deployment": self.deployment, "rollout": self.rollout, "run": self.run}
        found = {"service": str(self.service), "environment": str(self.environment), "incident": str(self.id)}
        return found | {name: str(value) for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Harm:
    """Why an incident is opened, by whom, and what was seen."""

    source: IncidentSource
    reason: str
    by: Actor
    evidence: Judgement | None = None
    alerts: tuple[Alert, ...] = ()


def with_suspects(incident: Incident, bad: Deployment | None, good: Deployment | None) -> Incident:
    """The incident with the deployment in question, and the last good one before it."""
    return replace(
        incident,
        deployment=bad.id if bad else None,
        commit=bad.commit if bad else None,
        up_to_order=bad.order if bad else 0,
        good=good.id if good else None,
        good_commit=good.commit if good else None,
        after_order=good.order if good else 0,
    )


def is_cured_by(incident: Incident, serving: Deployment) -> bool:
    """Whether the deployment that serves is not the one that harms.

    What a person or an alert complained of may serve in perfect health: it is cured when another deployment serves,
    when it passed a verification since, or when the alerts say themselves that they have resolved.
    """
    if serving.is_quarantined or incident.firing:
        return False
    if incident.source is IncidentSource.ALERT or serving.id != incident.deployment:
        return True
    return serving.proven_at is not None and serving.proven_at > incident.opened_at


def closed(incident: Incident, by: Actor, because: str, now: datetime) -> Incident:
    """The incident as it is when it is over."""
    return replace(incident, closed_at=now, closed_by=by, closed_because=because)
