"""The incident of a placement, as far as its decision opens and ends it."""

from __future__ import annotations

from dataclasses import replace

from tidegate.model.actor import SYSTEM, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.model.incident import (
    HEALTHY_FOR,
    Harm,
    Incident,
    IncidentSource,
    closed,
    is_cured_by,
    with_suspects,
)
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.quantity import format_duration
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.verdict import Judgement, Verdict


def open_for(draft: PlacementDraft, rollout: Rollout, cause: Cause) -> None:
    """Open the incident of a rollback for cause; one that is open already is told what happened.

    `rollout` is as it was before it was sent back.
    """
    harm = Harm(_source(draft, rollout, cause), cause.text, cause.actor, _evidence(draft, rollout))
    if draft.incident:
        if harm.reason != draft.incident.reason:
            _tell(draft, draft.incident, EventKind.INCIDENT_NOTED, harm.reason, harm)
        if draft.incident.evidence is None and harm.evidence:
            draft.incident = replace(draft.incident, evidence=harm.evidence)
        return
    opened = Incident(
        id=draft.state.new_incident,
        placement=draft.placement.id,
        service=draft.placement.service,
        environment=draft.placement.environment,
        source=harm.source,
        reason=harm.reason,
        opened_at=draft.now,
        opened_by=harm.by,
        rollout=rollout.id,
        run=rollout.run,
        evidence=harm.evidence,
    )
    bad = draft.deployments[rollout.new] if rollout.new else None
    good = draft.deployments[rollout.old] if rollout.old else None
    draft.incident = with_suspects(opened, bad, good)
    _tell(draft, draft.incident, EventKind.INCIDENT_OPENED, f"an incident begins: {harm.reason}", harm)


def look_after(draft: PlacementDraft) -> None:
    """End the open incident when a good deployment has served, healthy and at rest, for long enough."""
    incident = draft.incident
    if incident is None or not incident.is_open or _is_tidied(draft):
        return
    if not _is_well(draft, incident):
        if incident.healthy_since:
            draft.incident = replace(incident, healthy_since=None)
        return
    since = incident.healthy_since or draft.now
    if draft.now - since < HEALTHY_FOR:
        draft.incident = replace(incident, healthy_since=since)
        draft.wake(since + HEALTHY_FOR)
        return
    serving = draft.placement.serving
    assert serving is not None
    because = f"{draft.deployments[serving].label} has served in good health for {format_duration(HEALTHY_FOR)}"
    draft.incident = closed(replace(incident, healthy_since=since), SYSTEM, because, draft.now)
    _tell(draft, draft.incident, EventKind.INCIDENT_CLOSED, f"the incident is over: {because}", None)


def _is_tidied(draft: PlacementDraft) -> bool:
    """Whether what nobody needs any more is just being taken away: that says neither good nor bad of what serves."""
    at_rest = draft.rollout is None or not draft.rollout.state.owns_placement
    return at_rest and draft.placement.reached_at is None and not draft.placement.stuck_because


def _is_well(draft: PlacementDraft, incident: Incident) -> bool:
    placement, rollout = draft.placement, draft.rollout
    moves = rollout is not None and rollout.state.owns_placement
    if moves or placement.reached_at is None or placement.stuck_because or placement.health != "healthy":
        return False
    return placement.serving is not None and is_cured_by(incident, draft.deployments[placement.serving])


def _source(draft: PlacementDraft, rollout: Rollout, cause: Cause) -> IncidentSource:
    judgement = draft.state.judgement
    if cause.actor.kind is ActorKind.PERSON:
        return IncidentSource.ROLLBACK
    if rollout.state is RolloutState.WATCHING:
        return IncidentSource.WATCH
    if judgement and judgement.verdict is Verdict.FAIL:
        return IncidentSource.VERIFICATION
    return IncidentSource.CRASH


def _evidence(draft: PlacementDraft, rollout: Rollout) -> Judgement | None:
    return draft.state.judgement or rollout.judgement


def _tell(draft: PlacementDraft, incident: Incident, kind: EventKind, text: str, harm: Harm | None) -> None:
    data: dict[str, object] = {"source": harm.source.value, "rollback": True} if harm else {}
    actor = harm.by if harm else SYSTEM
    draft.events.append(Event(kind, text, incident.about(), actor, data))
