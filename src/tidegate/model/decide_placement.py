"""The decision about a placement: what its rollout does next, and how it stays what it should be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.model.convergence import Convergence, Progress, converge, retry_install, tidy
from tidegate.model.decision import Decision
from tidegate.model.effect import EffectState, Install, act_key
from tidegate.model.event import EventKind
from tidegate.model.installation import InstallationState
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.placement_draft import CHECK_EVERY, PlacementDraft, PlacementState
from tidegate.model.placement_incident import look_after
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.rollout_blind import go_on_after_fallback, hear_of_fallback
from tidegate.model.rollout_floor import hold_at_floor
from tidegate.model.rollout_forward import advance, arrangement_of, find_harm, finish_watch
from tidegate.model.rollout_return import decide_rollback, finish_return
from tidegate.model.share import NONE


def decide_placement(state: PlacementState, now: datetime) -> Decision:
    """Decide what happens to a placement now.

    The order matters: harm first (traffic leaves before anything else is done), then the way to the arrangement, then
    the rollout's next step, and at last what is no longer needed.
    """
    draft = PlacementDraft(state, now)
    rollout = draft.rollout
    fell_back = hear_of_fallback(draft)
    if rollout and not rollout.state.is_ended:
        _begin(draft, rollout)
        _look_for_harm(draft)
    if fell_back:
        go_on_after_fallback(draft)
    _settle(draft)
    if draft.rollout and not draft.rollout.state.is_ended:
        _keep_measuring(draft, draft.rollout)
    else:
        _check_at_rest(draft)
    _expire_warm(draft)
    tidy(draft)
    look_after(draft)
    return draft.decision()


def wants_figures(placement: Placement, rollout: Rollout | None, now: datetime, batch: timedelta) -> bool:
    """Whether figures and the state of the instances are to be read before the decision."""
    if rollout and not rollout.state.is_ended:
        if rollout.state is RolloutState.RETURNING or rollout.rollback_asked:
            return False  # nothing that they could say would change the way back, and reading them takes time
        return rollout.measure_at is not None and _measure_due(rollout.measure_at, now, batch)
    return _check_due(placement, now)


def _measure_due(measure_at: datetime, now: datetime, batch: timedelta) -> bool:
    """Whether a batch is over, or the clock was set back since it began: a rollout does not go unjudged for that."""
    return measure_at <= now or measure_at > now + batch


def _check_due(placement: Placement, now: datetime) -> bool:
    checked = placement.checked_at
    serves = placement.serving is not None and placement.reached_at is not None
    return serves and (checked is None or checked + CHECK_EVERY <= now)


def _begin(draft: PlacementDraft, rollout: Rollout) -> None:
    """The first look at a new rollout gives the placement its first arrangement, unless it is to go back already."""
    if rollout.rollback_asked:
        return
    if rollout.kind is RolloutKind.RELEASE and rollout.state is RolloutState.MOVING and rollout.step == 0:
        wanted = arrangement_of(rollout)
        if draft.placement.arrangement.part(rollout.new) != wanted.part(rollout.new):
            draft.move(wanted)


def _look_for_harm(draft: PlacementDraft) -> None:
    rollout = draft.rollout
    assert rollout is not None
    if rollout.state is RolloutState.RETURNING or (rollout.held_at_floor and not rollout.rollback_asked):
        return
    cause = find_harm(draft)
    if cause and not hold_at_floor(draft, cause):
        decide_rollback(draft, cause)


def _settle(draft: PlacementDraft) -> None:
    """Move on as far as what is known allows; each turn needs an effect, a verdict or time to go further."""
    for _ in range(len(draft.rollout.plan) + 3 if draft.rollout else 1):
        generation = draft.placement.generation
        convergence = converge(draft)
        rollout = draft.rollout
        if rollout is None or rollout.state.is_ended:
            _repair(draft, convergence)
        elif rollout.state is RolloutState.RETURNING:
            finish_return(draft, convergence)
        else:
            advance(draft, convergence)
        if draft.placement.generation == generation:
            return


def _repair(draft: PlacementDraft, convergence: Convergence) -> None:
    if convergence.progress is Progress.FAILED and convergence.failed:
        retry_install(draft, convergence.failed, convergence.detail)


def _keep_measuring(draft: PlacementDraft, rollout: Rollout) -> None:
    if rollout.state is RolloutState.RETURNING or rollout.measure_at is None:
        return
    if draft.state.measured and _measure_due(rollout.measure_at, draft.now, draft.state.batch):
        rollout = draft.update_rollout(measure_at=draft.now + draft.state.batch)
        if draft.placement.reached_at is not None and draft.state.observed is not None:
            _note_health(draft)
    assert rollout.measure_at is not None
    draft.wake(rollout.measure_at)
    finish_watch(draft)


def _check_at_rest(draft: PlacementDraft) -> None:
    """A placement without a rollout is looked at now and then, and what is missing is put back."""
    placement = draft.placement
    if placement.serving is None or placement.reached_at is None:
        if placement.serving is None:
            draft.placement = replace(placement, health="empty")
        return
    if _check_due(draft.state.placement, draft.now) and draft.state.observed is not None:
        placement = draft.placement = replace(placement, checked_at=draft.now)
        _note_health(draft)
    draft.wake((placement.checked_at or draft.now) + CHECK_EVERY)


def _note_health(draft: PlacementDraft) -> None:
    observed = draft.state.observed or {}
    troubles: list[str] = []
    for part in draft.placement.arrangement.parts:
        installation = observed.get(part.deployment)
        if (
            installation is None
            or part.instances == 0
            or part.instances != draft.deployments[part.deployment].installed
        ):
            continue
        if installation.state is not InstallationState.READY or len(installation.healthy) != part.instances:
            troubles.append(installation.detail or f"{len(installation.healthy)} of {part.instances} instances healthy")
            act = Install(part.deployment, part.instances)
            known = draft.known.get(act_key(act))
            if known is None or known.state is not EffectState.PENDING:
                draft.effect(act, again=True)
        elif installation.healthy != draft.deployments[part.deployment].endpoints:
            draft.update_deployment(part.deployment, endpoints=installation.healthy)
            draft.move(draft.placement.arrangement)
    health = "; ".join(troubles) or "healthy"
    if health != draft.placement.health:
        if troubles or draft.placement.health not in ("empty", "healthy"):
            draft.say(EventKind.PLACEMENT_HEALTH, f"{draft.placement.id}: {health}")
        draft.placement = replace(draft.placement, health=health)


def _expire_warm(draft: PlacementDraft) -> None:
    """What was kept whole for a quick way back goes when its time is over and nothing moves."""
    rollout = draft.rollout
    if draft.placement.reached_at is None or (rollout and rollout.state.owns_placement):
        return
    parts: list[Part] = []
    expired = False
    for part in draft.placement.arrangement.parts:
        warm_until = draft.deployments[part.deployment].warm_until
        if part.share == NONE and part.instances and warm_until:
            if warm_until <= draft.now:
                expired = True
                parts.append(replace(part, instances=0))
                continue
            draft.wake(warm_until)
        parts.append(part)
    if expired:
        draft.move(Arrangement(tuple(parts)))
        converge(draft)
