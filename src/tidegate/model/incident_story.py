"""An incident as it is told: its time line, the commits in question, and a draft of a post-mortem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.change import Change
from tidegate.model.event import RecordedEvent
from tidegate.model.incident import Incident
from tidegate.model.quantity import format_duration
from tidegate.model.verdict import MetricFinding

MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """An incident with what is known of it. `changes` are the commits in question, the newest first; `lines` the
    record from the beginning of the rollout in question on, oldest first."""

    incident: Incident
    changes: tuple[Change, ...]
    lines: tuple[RecordedEvent, ...]


def post_mortem(story: IncidentStory, now: datetime) -> str:
    """A draft in Markdown: what the record knows is filled in, what only people know is asked for."""
    return "\n".join(_draft(story, now)) + "\n"


def figure_text(finding: MetricFinding) -> str:
    """`errors: 25 % on the new deployment, against 0.3 % (fail)`."""
    new = "no data" if finding.canary is None else _figure(finding.canary, finding.unit)
    old = "" if finding.baseline is None else f", against {_figure(finding.baseline, finding.unit)}"
    said = "told, not judged" if finding.is_only_told else finding.verdict.value
    return f"{finding.name}: {new} on the new deployment{old} ({said})"


def _figure(value: float, unit: str) -> str:
    return f"{float(f'{value:.3g}'):g} {unit}".rstrip()


def _draft(story: IncidentStory, now: datetime) -> Iterator[str]:
    incident = story.incident
    yield f"# {incident.service} in {incident.environment}: {_escaped(incident.reason)}"
    yield ""
    yield f"- Incident: `{incident.id}`, opened by {incident.source.words} ({_escaped(incident.opened_by.name)})"
    yield f"- Began: {_at(incident.opened_at)}"
    if incident.closed_at:
        lasted = format_duration(_whole_seconds(incident.lasted(now)))
        yield f"- Ended: {_at(incident.closed_at)}, after {lasted}: {_escaped(incident.closed_because)}"
    else:
        yield "- It has not ended."
    yield f"- Deployment in question: {_deployment(incident.commit, incident.deployment)}"
    yield f"- Last good one before it: {_deployment(incident.good_commit, incident.good)}"
    yield ""
    yield "## What users noticed"
    yield ""
    yield "TODO: who was affected, in which way, and how many."
    yield ""
    yield "## Evidence"
    yield ""
    yield from _evidence(incident)
    yield ""
    yield "## Commits in question"
    yield ""
    for change in story.changes[:MOST_CHANGES]:
        yield f"- `{change.commit[:8]}` {_escaped(change.subject)} ({_escaped(change.author_name)})"
    if not story.changes:
        yield "None are known."
    yield ""
    yield "## Time line (UTC)"
    yield ""
    for line in story.lines:
        yield f"- {line.at:%Y-%m-%d %H:%M:%S} {_escaped(line.event.text)} ({_escaped(line.event.actor.name)})"
    for heading, asked in _QUESTIONS:
        yield from ("", f"## {heading}", "", f"TODO: {asked}")


_QUESTIONS = (
    ("Cause", "what made it harmful, and why nothing before noticed."),
    ("What went well, and what did not", "how it was found, how long it took, and what stood in the way."),
    ("What is done about it", "each with an owner and a day."),
)


def _evidence(incident: Incident) -> Iterator[str]:
    if incident.evidence:
        yield _escaped(incident.evidence.reason)
        if incident.evidence.metrics or incident.alerts:
            yield ""
        for finding in incident.evidence.metrics:
            yield f"- {_escaped(figure_text(finding))}"
    for alert in incident.alerts:
        until = f"until {_at(alert.resolved_at)}" if alert.resolved_at else "fires still"
        yield f"- alert {_escaped(str(alert))}, since {_at(alert.since)}, {until}"
    if not incident.evidence and not incident.alerts:
        yield "Nothing was measured that speaks of it."


def _deployment(commit: str | None, deployment: str | None) -> str:
    return f"`{commit[:8]}` (`{deployment}`)" if commit else "none"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _whole_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))


def _escaped(text: str) -> str:
    """Somebody else's words in one line that Markdown takes as they are."""
    line = " ".join(text.split())
    return "".join(f"\\{one}" if one in r"\`*_<>[]#|" else one for one in line)
