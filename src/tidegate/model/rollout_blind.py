"""A rollout whose traffic went back by itself while nobody judged it, and the server that finds it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.model.dead_man import Fallback
from tidegate.model.event import EventKind
from tidegate.model.figures import Batch
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.quantity import format_duration
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.rollout_forward import arrangement_of
from tidegate.model.verdict import Judgement, Verdict

_FORWARD = (RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING)


def is_news(fell_back: Fallback | None, generation: int) -> bool:
    """Whether the placement, at this generation, was not yet decided about since the dead man acted."""
    return fell_back is not None and fell_back.generation >= generation


def hear_of_fallback(draft: PlacementDraft) -> bool:
    """Record what the dead man did, with the time at which it did it; whether there was something new.

    The placement has to move then: `go_on_after_fallback`, or a rollback, where the gap shows harm.
    """
    fell = draft.state.fell_back
    if fell is None or not is_news(fell, draft.placement.generation):
        return False
    # whatever is asked for from now on overtakes it
    draft.placement = replace(draft.placement, generation=fell.generation)
    draft.say(
        EventKind.ROLLOUT_FELL_BACK,
        f"nobody judged the rollout for {format_duration(fell.unjudged)}: all traffic of {draft.placement.id} "
        f"went back by itself at {fell.at:%H:%M:%S} UTC",
        at=fell.at.isoformat(),
        seconds=fell.unjudged.total_seconds(),
    )
    return True


def go_on_after_fallback(draft: PlacementDraft) -> None:
    """Give the new deployment the last share again at which it was judged, and judge it there anew; a rollout that is
    decided goes on with what was decided."""
    rollout = draft.rollout
    fell = draft.state.fell_back
    assert fell is not None
    if draft.placement.generation != fell.generation:
        return  # it goes back already
    if rollout is None or rollout.state not in _FORWARD or not rollout.plan:
        draft.move(draft.placement.arrangement)
        return
    rollout = draft.update_rollout(
        state=RolloutState.MOVING,
        step=last_judged_step(rollout),
        step_since=None,
        judgement=None,
        holds_because=None,
        promote_step=None,
        steps_passed=rollout.steps_passed and not (rollout.verify and rollout.verify.checks),
        lacks=None,
        load_due_at=None,
        load=None,
    )
    draft.move(arrangement_of(rollout))


def last_judged_step(rollout: Rollout) -> int:
    """The step whose share was served for certain."""
    return max(rollout.step - 1, 0) if rollout.state is RolloutState.MOVING else rollout.step


def on_fresh_figures(judgement: Judgement, batches: Sequence[Batch], rollout: Rollout) -> Judgement:
    """The judgement, which is no pass where no batch began since the share was given: what was counted before the
    traffic fell back may speak against the new deployment, and takes it no step forward alone."""
    if judgement.verdict is not Verdict.PASS or rollout.step_since is None or not batches:
        return judgement
    if batches[-1].begin >= rollout.step_since:
        return judgement
    reason = "the latest figures are from before its share was given again; a step passes on fresh ones"
    return replace(judgement, verdict=Verdict.UNDECIDED, reason=reason)
