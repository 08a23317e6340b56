"""How a placement comes to its arrangement: grow, route, then drain and shrink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum

from tidegate.model.deployment import Deployment
from tidegate.model.effect import Drain, Effect, EffectState, Install, SetShares
from tidegate.model.event import EventKind
from tidegate.model.ids import DeploymentId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.placement import Arrangement, Part
from tidegate.model.placement_draft import DRAIN_AT_MOST, RETRY_STUCK, STUCK_AFTER, PlacementDraft
from tidegate.model.share import NONE

MINUTE = timedelta(minutes=1)

INSTALL_AT_MOST = 30 * MINUTE
"""How long a target may prepare and start instances; a `prepare` that hangs would else hold the placement for ever."""


ASK_ANEW = 5 * MINUTE
"""How often a target that is away is asked anew, so that its absence is not taken for the installation's own time."""


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
        elif effect and effect.state is EffectState.PENDING and _takes_too_long(draft, effect):
            detail = f"not installed within {INSTALL_AT_MOST // MINUTE} minutes: {effect.detail}"
            failure = Convergence(Progress.FAILED, part.deployment, detail)
        elif effect and effect.state is EffectState.PENDING:
            _note_delay(draft, effect)
            if effect.installation is None and draft.now >= effect.created_at + ASK_ANEW:
                draft.effect(effect.act, again=True)
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
        _say_stuck(draft, detail, deployment)
    draft.effect(Install(part.deployment, part.instances), due_at=draft.now + RETRY_STUCK, again=True)


def tidy(draft: PlacementDraft) -> None:
    """Once the traffic is where it should be, bring every deployment to exactly the instances that it should have.

    What leaves is drained before it stops. The target confirms what stays as well, so that it knows this generation
    and refuses late work of an older one.
    """
    if draft.placement.reached_at is None:
        return
    gone: list[DeploymentId] = []
    are_there = True
    for deployment in list(draft.deployments.values()):
        part = draft.placement.arrangement.part(deployment.id)
        wanted = part.instances if part else 0
        if deployment.present:
            are_there &= _bring_to(draft, deployment, wanted)
        elif part and wanted == 0:
            gone.append(deployment.id)
        if draft.placement.reached_at is None:
            return
    if are_there:
        draft.placement = replace(draft.placement, stuck_because=None)
    if gone:
        kept = tuple(part for part in draft.placement.arrangement.parts if part.deployment not in gone)
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
        if effect:
            _note_delay(draft, effect)
            if draft.now >= effect.created_at + STUCK_AFTER:
                # it may hold this generation with another split, which restored rows do not know
                return _overtake(draft)
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
    return deployment.endpoints if part.share == NONE else deployment.endpoints_of(part.instances)


def _takes_too_long(draft: PlacementDraft, effect: Effect) -> bool:
    """Whether a target that answers has had its time; one that is away is waited for."""
    deadline = effect.created_at + INSTALL_AT_MOST
    if draft.now < deadline:
        draft.wake(deadline)
        return False
    return effect.installation is not None


def _note_delay(draft: PlacementDraft, effect: Effect) -> None:
    """Say once that nobody takes what is asked for; it is asked for again and again all the same."""
    untaken = effect.detail and effect.installation is None
    if effect.state is not EffectState.PENDING or not untaken:
        return
    if draft.now < effect.created_at + STUCK_AFTER:
        draft.wake(effect.created_at + STUCK_AFTER)
    elif draft.placement.stuck_because is None:
        _say_stuck(draft, effect.detail)


def _say_stuck(draft: PlacementDraft, detail: str, deployment: DeploymentId | None = None) -> None:
    draft.placement = replace(draft.placement, stuck_because=detail)
    draft.say(EventKind.PLACEMENT_STUCK, f"stuck: {detail}; it is tried again", deployment=deployment)


def _bring_to(draft: PlacementDraft, deployment: Deployment, wanted: int) -> bool:
    """Ask for what is left to do; whether nothing is."""
    staying = deployment.endpoints_of(wanted)
    leaving = tuple(one for one in deployment.endpoints if one not in staying)
    drain = Drain(deployment.id, leaving)
    if leaving and not _drained(draft, drain):
        return False
    if deployment.installed > wanted:
        if leaving and wanted == 0:
            _note_last_response(draft, deployment, draft.effect(drain))
        # they count as gone from now on: whatever overtakes this finds that they may be stopping
        draft.update_deployment(deployment.id, installed=wanted, endpoints=staying)
    act = Install(deployment.id, wanted)
    effect = draft.effect(act)
    if effect is None:
        return False
    if effect.state is EffectState.PENDING:
        _note_delay(draft, effect)
        return False
    if effect.state is EffectState.CANCELLED:
        _overtake(draft)
        return False
    if effect.state is EffectState.FAILED:
        if draft.placement.stuck_because is None:
            _say_stuck(draft, effect.detail, deployment.id)
        draft.effect(act, due_at=draft.now + RETRY_STUCK, again=True)
        return False
    if wanted == 0:
        draft.update_deployment(deployment.id, present=False, endpoints=(), warm_until=None)
        draft.say(EventKind.DEPLOYMENT_REMOVED, f"{deployment.label} is stopped and removed", deployment=deployment.id)
    return True


def _note_last_response(draft: PlacementDraft, deployment: Deployment, drain: Effect | None) -> None:
    """Say when the deployment that a rollback is about had answered everything."""
    rollout = draft.rollout
    if rollout is None or rollout.new != deployment.id or rollout.decided_at is None or drain is None:
        return
    if drain.state is not EffectState.DONE or drain.done_at is None:
        return
    seconds = (drain.done_at - rollout.decided_at).total_seconds()
    text = f"the last response of {deployment.label} was there after {seconds:.3f} s"
    draft.say(EventKind.ROLLBACK_ANSWERED, text, deployment=deployment.id, seconds=seconds)


def _drained(draft: PlacementDraft, act: Drain) -> bool:
    drain = draft.effect(act)
    if drain is None:
        return False
    deadline = drain.created_at + DRAIN_AT_MOST
    if drain.state is EffectState.PENDING and draft.now < deadline:
        draft.wake(deadline)
        return False
    return True
