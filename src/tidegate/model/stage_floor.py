"""Steps of a stage that cannot be undone: when it is their turn, and the floor that they give the placement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tidegate.model.event import EventKind
from tidegate.model.ids import StageName
from tidegate.model.placement import Placement, PlacementFloor
from tidegate.model.rollout import Rollout
from tidegate.model.run_draft import RunDraft
from tidegate.model.step_run import StepRun, StepState


def steps_in_turn(steps: Sequence[StepRun], rollout: Rollout | None) -> tuple[StepRun, ...]:
    """The steps whose turn may have come: those that cannot be undone only when nothing speaks for going back."""
    goes_back = rollout is not None and (rollout.rollback_asked or rollout.held_at_floor)
    proven = rollout is None or (rollout.has_passed and not goes_back)
    begun = any(one.step.irreversible and one.state is not StepState.WAITING for one in steps)
    return tuple(one for one in steps if proven or begun or not one.step.irreversible)


def awaits_final_step(steps: Iterable[StepRun], rollout: Rollout) -> bool:
    """Whether a rollout has passed whose stage has yet to begin what cannot be undone; `steps` are those of its run.

    Until then the placement has no floor, and nothing else may begin there that could be below it.
    """
    final = [one for one in steps if one.scope == rollout.stage and one.step.irreversible]
    waits = bool(final) and all(one.state is StepState.WAITING for one in final)
    return waits and rollout.has_passed and not rollout.held_at_floor


def set_floor(draft: RunDraft, name: StageName, steps: Iterable[StepRun]) -> None:
    """Give the placement its floor as soon as a step that cannot be undone may begin."""
    may_begin = [one for one in steps if one.step.irreversible and one.state in (StepState.READY, StepState.RUNNING)]
    if not may_begin or draft.release is None:
        return
    known = draft.state.sites[name].placement
    placement = draft.others.get(known.id, known)
    assert isinstance(placement, Placement)
    if placement.floor and placement.floor.order >= draft.release.order:
        return
    floor = PlacementFloor(draft.release.order, draft.release.label, may_begin[0].name, draft.now)
    draft.others[placement.id] = replace(placement, floor=floor)
    draft.say(
        EventKind.FLOOR_SET,
        f"nothing older than {floor.label} serves in {placement.environment} any more: {floor.words}",
        stage=name,
        environment=placement.environment,
        step=floor.step,
    )
