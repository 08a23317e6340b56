"""How a placement comes to its arrangement: grow, route, then drain and shrink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tidegate.model.deployment import Deployment
from tidegate.model.effect import Drain, Effect, EffectState, Install, SetShares
from tidegate.model.event import EventKind
from tidegate.model.ids import DeploymentId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.placement import Arrangement, Part
from tidegate.model.placement_draft import DRAIN_AT_MOST, RETRY_STUCK, PlacementDraft
from tidegate.model.share import NONE


class Progress(Enum):
    """How far a placement is on its way to its arrangement."""

    MOVING = "moving"
    REACHED = "reached"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Convergence:
    """How far it is; where it failed, which deployment could not be installed and why."""

    progress: Progress
    failed: DeploymentId | None = None
    detail: str = ""


def converge(draft: PlacementDraft) -> Convergence:
    """Ask for the next effects on the way to the arrangement.

    New instances are healthy before they get traffic, and traffic has left old ones before they stop.
    """
    growing = [part for part in draft.placement.arrangement.parts if part.instances > _installed(draft, part)]
    failure: Convergence | None = None
    for part in growing:
        draft.update_deployment(part.deployment, present=True)
        effect = draft.effect(Install(part.deployment, part.instances))
        if effect and effect.state is EffectState.DONE:
            _note_installed(draft, part.deployment, effect)
        elif effect and effect.state is EffectState.CANCELLED:
            return _overtake(draft)
        elif effect and effect.state is EffectState.FAILED:
            failure = Convergence(Progress.FAILED, part.deployment, effect.detail)
    if failure:
        return failure
    if any(part.instances > _installed(draft, part) for part in draft.placement.arrangement.parts):
        return Convergence(Progress.MOVING)
    return _route(draft)


def retry_install(draft: PlacementDraft, deployment: DeploymentId, detail: str) -> None:
    """Where nothing is left to go back to, say that the placement is stuck, and try again after a while."""
    part = draft.placement.arrangement.part(deployment)
    if part is None:
        return
    if draft.placement.stuck_because != detail:
        draft.placement = replace(draft.placement, stuck_because=detail)
        draft.say(EventKind.PLACEMENT_STUCK, f"stuck: {detail}; it is tried again", deployment=deployment)
    draft.effect(Install(part.deployment, part.instances), due_at=draft.now + RETRY_STUCK, again=True)


def tidy(draft: PlacementDraft) -> None:
    """Drain and stop what the arrangement no longer wants, once the traffic is where it should be."""
    if draft.placement.reached_at is None:
        return
    leaving: list[DeploymentId] = []
    for deployment in list(draft.deployments.values()):
        part = draft.placement.arrangement.part(deployment.id)
        wanted = part.instances if part else 0
        if deployment.installed > wanted or (deployment.present and wanted == 0):
            _shrink(draft, deployment, wanted)
        elif part and wanted == 0:
            leaving.append(deployment.id)
    if leaving:
        kept = tuple(part for part in draft.placement.arrangement.parts if part.deployment not in leaving)
        draft.move(Arrangement(kept))
        _route(draft)


def _overtake(draft: PlacementDraft) -> Convergence:
    """A target or router has seen a higher generation than the rows (they were restored): go beyond it."""
    draft.move(draft.placement.arrangement)
    return Convergence(Progress.MOVING)


def _installed(draft: PlacementDraft, part: Part) -> int:
    return draft.deployments[part.deployment].installed


def _note_installed(draft: PlacementDraft, deployment: DeploymentId, effect: Effect) -> None:
    healthy = effect.installation.healthy if effect.installation else ()
    act = effect.act
    assert isinstance(act, Install)
    draft.update_deployment(deployment, installed=act.instances, endpoints=healthy, detail="")


def _route(draft: PlacementDraft) -> Convergence:
    if draft.placement.reached_at is not None:
        return Convergence(Progress.REACHED)
    effect = draft.effect(SetShares(routing(draft)))
    if effect is not None and effect.state is EffectState.CANCELLED:
        return _overtake(draft)
    if effect is None or effect.state is not EffectState.DONE:
        return Convergence(Progress.MOVING, detail=effect.detail if effect else "")
    draft.placement = replace(draft.placement, reached_at=effect.done_at, stuck_because=None)
    return Convergence(Progress.REACHED)


def routing(draft: PlacementDraft) -> Routing:
    """The split of the traffic that the arrangement asks for."""
    return Routing(
        draft.placement.id,
        draft.placement.port,
        tuple(
            Route(part.deployment, part.share, _endpoints(draft.deployments[part.deployment], part))
            for part in draft.placement.arrangement.parts
        ),
    )


def _endpoints(deployment: Deployment, part: Part) -> tuple[Endpoint, ...]:
    """Those that stay get requests; where the deployment has no share, all that are there are only watched."""
    return deployment.endpoints if part.share == NONE else deployment.endpoints[: part.instances]


def _shrink(draft: PlacementDraft, deployment: Deployment, wanted: int) -> None:
    leaving = deployment.endpoints[wanted:]
    if leaving and not _drained(draft, Drain(deployment.id, leaving)):
        return
    effect = draft.effect(Install(deployment.id, wanted))
    if effect is None or effect.state is not EffectState.DONE:
        return
    draft.update_deployment(
        deployment.id,
        installed=wanted,
        endpoints=deployment.endpoints[:wanted],
        present=wanted > 0,
        warm_until=None,
    )
    if wanted == 0:
        draft.say(EventKind.DEPLOYMENT_REMOVED, f"{deployment.label} is stopped and removed", deployment=deployment.id)


def _drained(draft: PlacementDraft, act: Drain) -> bool:
    drain = draft.effect(act)
    if drain is None:
        return False
    deadline = drain.created_at + DRAIN_AT_MOST
    if drain.state is EffectState.PENDING and draft.now < deadline:
        draft.wake(deadline)
        return False
    return True
