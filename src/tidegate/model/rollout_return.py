"""A rollout on its way back: traffic first, then everything else."""

from __future__ import annotations

from dataclasses import replace

from tidegate.model.actor import SYSTEM
from tidegate.model.convergence import Convergence, Progress, retry_install
from tidegate.model.event import EventKind
from tidegate.model.placement import Arrangement, Part
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.placement_incident import open_for
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.share import WHOLE

ROLLBACKS_THAT_STOP_THE_LINE = 2


def decide_rollback(draft: PlacementDraft, cause: Cause) -> None:
    """Decide that the placement returns to the old deployment: quarantine where it is for cause, and move."""
    before = draft.rollout
    assert before is not None
    if before.drill:
        cause = replace(cause, for_cause=False)  # what practice finds is for people to read, and takes nothing away
    rollout = draft.update_rollout(
        state=RolloutState.RETURNING, cause=cause, decided_at=draft.now, held=False, holds_because=None
    )
    text = f"back to {_label(draft, rollout)}: {cause.text}"
    drill = {"drill": True} if before.drill else {}
    draft.say(EventKind.ROLLBACK_DECIDED, text, cause.actor, for_cause=cause.for_cause, **drill)
    if cause.for_cause:
        open_for(draft, before, cause)
    if cause.for_cause and rollout.new:
        _quarantine(draft, rollout, cause)
    _go_back(draft, rollout)


def finish_return(draft: PlacementDraft, convergence: Convergence) -> None:
    """Note when the traffic was back, bring the old deployment to its full size, and end the rollout."""
    rollout = draft.rollout
    assert rollout is not None
    if draft.placement.arrangement.serving != ((rollout.old,) if rollout.old else ()):
        _change_the_way(draft, rollout)
        return
    if convergence.progress is Progress.FAILED and convergence.failed:
        retry_install(draft, convergence.failed, convergence.detail)
    if convergence.progress is not Progress.REACHED:
        return
    if rollout.routed_at is None:
        rollout = _note_routed(draft, rollout)
    if rollout.old:
        old = draft.deployments[rollout.old]
        draft.update_deployment(old.id, warm_until=None)
        if old.installed < old.runtime.instances:
            draft.move(Arrangement((Part(old.id, old.runtime.instances, WHOLE),)))
            return
    draft.update_rollout(state=RolloutState.ROLLED_BACK, ended_at=draft.now)
    draft.say(EventKind.ROLLOUT_ENDED, f"{draft.placement.environment}: the rollout is rolled back")


def _change_the_way(draft: PlacementDraft, rollout: Rollout) -> None:
    """While it was going back, a person named another deployment to go back to, or none."""
    asked = rollout.rollback_asked
    rollout = draft.update_rollout(cause=rollout.cause or asked, decided_at=draft.now, routed_at=None)
    text = f"now back to {_label(draft, rollout)}" + (f": {asked.text}" if asked else "")
    draft.say(EventKind.ROLLBACK_DECIDED, text, asked.actor if asked else SYSTEM)
    _go_back(draft, rollout)


def _go_back(draft: PlacementDraft, rollout: Rollout) -> None:
    old = draft.deployments[rollout.old] if rollout.old else None
    if old and old.is_quarantined:
        draft.update_deployment(old.id, quarantined_at=None, quarantined_because=None)
        text = f"{old.label} is no longer quarantined: a person asked for it"
        draft.say(EventKind.DEPLOYMENT_RELEASED, text, deployment=old.id)
    draft.move(_way_back(draft, rollout))


def _label(draft: PlacementDraft, rollout: Rollout) -> str:
    return draft.deployments[rollout.old].label if rollout.old else "nothing (empty)"


def _note_routed(draft: PlacementDraft, rollout: Rollout) -> Rollout:
    routed_at = draft.placement.reached_at
    assert routed_at is not None and rollout.decided_at is not None
    seconds = (routed_at - rollout.decided_at).total_seconds()
    draft.say(EventKind.ROLLBACK_ROUTED, f"all traffic is back after {seconds:.3f} s", seconds=seconds)
    return draft.update_rollout(routed_at=routed_at)


def _way_back(draft: PlacementDraft, rollout: Rollout) -> Arrangement:
    """All traffic to what is there of the old deployment; to all of it, where nothing of it is there."""
    if rollout.old is None:
        return Arrangement()
    old = draft.deployments[rollout.old]
    return Arrangement((Part(old.id, old.installed or old.runtime.instances, WHOLE),))


def _quarantine(draft: PlacementDraft, rollout: Rollout, cause: Cause) -> None:
    assert rollout.new is not None
    new = draft.deployments[rollout.new]
    draft.update_deployment(new.id, quarantined_at=draft.now, quarantined_because=cause.text, proven_at=None)
    draft.say(
        EventKind.DEPLOYMENT_QUARANTINED, f"{new.label} is quarantined: nothing automatic deploys it again", cause.actor
    )
    count = draft.placement.rollbacks_in_a_row + 1
    draft.placement = replace(draft.placement, rollbacks_in_a_row=count)
    if count >= ROLLBACKS_THAT_STOP_THE_LINE and draft.state.environment.protected:
        because = f"{count} rollbacks for cause in a row in {draft.placement.environment} stopped the line"
        draft.service = replace(draft.service, line_stopped_because=because)
        draft.say(EventKind.LINE_STOPPED, because + "; to go on: tidegate service resume " + draft.service.name)
