"""An incident's page, and the line about it on others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.incident import Incident
from tidegate.model.incident_story import IncidentStory, figure_text, post_mortem
from tidegate.web.wording import Badge, Moment, Tone, moment, span

_OPEN, _OVER = Badge("open", Tone.BAD), Badge("over", Tone.QUIET)


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An incident in a list."""

    id: str
    environment: str
    reason: str
    is_open: bool
    state: Badge
    began: Moment | None
    lasted: str


@dataclass(frozen=True, slots=True)
class CommitLine:
    """A commit in question."""

    label: str
    subject: str
    author: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Something that happened."""

    at: str
    text: str
    who: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident's page; `suspect` and `good` are labels, `ended` says why it is over."""

    line: IncidentLine
    service: str
    opened: str
    ended: str
    well: Moment | None
    suspect: str
    good: str
    run: str | None
    evidence: tuple[str, ...]
    commits: tuple[CommitLine, ...]
    lines: tuple[TimeLine, ...]
    post_mortem: str


def incident_line(incident: Incident, now: datetime) -> IncidentLine:
    """The incident in a list."""
    return IncidentLine(
        id=incident.id,
        environment=incident.environment,
        reason=incident.reason,
        is_open=incident.is_open,
        state=_OPEN if incident.is_open else _OVER,
        began=moment(incident.opened_at, now),
        lasted=span(incident.opened_at, incident.closed_at, now),
    )


def incident_view(story: IncidentStory, now: datetime) -> IncidentView:
    """The incident's page."""
    incident = story.incident
    return IncidentView(
        line=incident_line(incident, now),
        service=incident.service,
        opened=f"{incident.source.words} ({incident.opened_by.name})",
        ended=incident.closed_because,
        well=moment(incident.healthy_since, now) if incident.is_open else None,
        suspect=(incident.commit or "")[:8],
        good=(incident.good_commit or "")[:8],
        run=incident.run,
        evidence=_evidence(incident),
        commits=tuple(CommitLine(one.commit[:8], one.subject, one.author_name) for one in story.changes),
        lines=tuple(
            TimeLine(f"{one.at:%Y-%m-%d %H:%M:%S} UTC", one.event.text, one.event.actor.name) for one in story.lines
        ),
        post_mortem=post_mortem(story, now),
    )


def _evidence(incident: Incident) -> tuple[str, ...]:
    judgement = incident.evidence
    found = [judgement.reason, *(figure_text(one) for one in judgement.metrics)] if judgement else []
    alerts = [f"alert {one}, {'resolved' if one.resolved_at else 'fires'}" for one in incident.alerts]
    return (*found, *alerts)
