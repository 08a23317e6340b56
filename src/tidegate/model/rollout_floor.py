"""A rollback that a placement's floor does not allow: the traffic is held where it is."""

from __future__ import annotations

from tidegate.model.actor import ActorKind
from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind
from tidegate.model.placement import Placement, PlacementFloor
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.placement_incident import open_for
from tidegate.model.rollout import Cause, RolloutKind, RolloutState


def forbids(floor: PlacementFloor | None, back_to: Deployment | None) -> bool:
    """Whether what should serve again is below the floor; to have nothing serve is, too."""
    return floor is not None and (back_to is None or back_to.order < floor.order)


def way_on(placement: Placement) -> str:
    """What is left to do at a floor."""
    service, environment = placement.service, placement.environment
    lift = f"tidegate floor {service} --env {environment} --lift --reason …"
    return f"the way is forward, by a newer release; once somebody has undone what the step did: {lift}"


def hold_at_floor(draft: PlacementDraft, cause: Cause) -> bool:
    """Keep the traffic where it is instead of going back, and open the incident; whether the floor demands it.

    A person may always stop a service: nothing old serves then.
    """
    before, placement = draft.rollout, draft.placement
    assert before is not None
    floor = placement.floor
    is_stop = before.old is None and cause.actor.kind is ActorKind.PERSON
    if floor is None or is_stop or not forbids(floor, draft.deployments[before.old] if before.old else None):
        return False
    draft.update_rollout(held_at_floor=before.held_at_floor or cause, rollback_asked=None)
    stays = f"the traffic of {placement.id} stays where it is"
    text = f"not back ({cause.text}), {stays}: {floor.words}; {way_on(placement)}"
    draft.say(EventKind.ROLLBACK_HELD, text, cause.actor, floor=floor.label, step=floor.step)
    open_for(draft, before, cause)
    if before.kind is not RolloutKind.RELEASE:
        draft.update_rollout(state=RolloutState.HELD, ended_at=draft.now)
        draft.say(EventKind.ROLLOUT_ENDED, f"{placement.environment}: the rollback ended, and nothing moved")
    return True
