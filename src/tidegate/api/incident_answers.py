"""Incidents as the API tells them."""

from __future__ import annotations

from datetime import datetime

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.api.rollout_answers import JudgementAnswer
from tidegate.model.event import EventKind
from tidegate.model.incident import Incident, IncidentSource
from tidegate.model.incident_story import IncidentStory, post_mortem


class AlertAnswer(Answer):
    """An alert of an incident; without `resolved_at` it fires still."""

    fingerprint: str
    name: str
    summary: str
    since: datetime
    resolved_at: datetime | None


class IncidentAnswer(Answer):
    """An incident; without `closed_at` it is open. `seconds` is how long it lasted, or has so far.

    `deployment` is the one in question (`commit` its commit), `good` the last good one before it.
    """

    id: str
    service: str
    environment: str
    source: IncidentSource
    reason: str
    is_open: bool
    opened_at: datetime
    opened_by: ActorAnswer
    closed_at: datetime | None
    closed_by: ActorAnswer | None
    closed_because: str
    seconds: float
    deployment: str | None
    commit: str | None
    good: str | None
    good_commit: str | None
    rollout: str | None
    run: str | None
    healthy_since: datetime | None
    alerts: tuple[AlertAnswer, ...]


class IncidentPage(Answer):
    """Incidents, the newest first; `next` is what `before` wants for the page after, null at the end."""

    items: list[IncidentAnswer]
    next: str | None


class SuspectAnswer(Answer):
    """A commit in question."""

    commit: str
    subject: str
    author_name: str
    at: datetime


class TimeLineAnswer(Answer):
    """A line of the record in the time of the incident."""

    at: datetime
    kind: EventKind
    text: str
    actor: ActorAnswer


class IncidentDetail(IncidentAnswer):
    """An incident with all that is known of it; `post_mortem` is a draft in Markdown."""

    evidence: JudgementAnswer | None
    commits: list[SuspectAnswer]
    time_line: list[TimeLineAnswer]
    post_mortem: str


def incident_answer(incident: Incident, now: datetime) -> IncidentAnswer:
    """The incident as the API tells it."""
    return IncidentAnswer.model_validate(_told(incident, now), from_attributes=True)


def incident_detail(story: IncidentStory, now: datetime) -> IncidentDetail:
    """The incident in full."""
    lines = [
        {"at": one.at, "kind": one.event.kind, "text": one.event.text, "actor": one.event.actor} for one in story.lines
    ]
    more = {
        "evidence": story.incident.evidence,
        "commits": list(story.changes),
        "time_line": lines,
        "post_mortem": post_mortem(story, now),
    }
    return IncidentDetail.model_validate({**_told(story.incident, now), **more}, from_attributes=True)


def _told(incident: Incident, now: datetime) -> dict[str, object]:
    own = {name: getattr(incident, name) for name in IncidentAnswer.model_fields if hasattr(incident, name)}
    return {**own, "seconds": incident.lasted(now).total_seconds()}
