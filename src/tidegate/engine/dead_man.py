"""What the server leaves for the time in which it is not there: the dead man's notes."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.dead_man import Note, note_for
from tidegate.model.decision import Decision
from tidegate.model.deployment import Deployment
from tidegate.model.ids import PlacementId
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.routers.dead_man import DeadMan


class DeadMansNotes:
    """Keeps each placement's note as what was decided asks; it is written before any effect of the decision begins."""

    def __init__(self, dead_man: DeadMan, batch: timedelta) -> None:
        self._dead_man = dead_man
        self._batch = batch
        self._left: dict[PlacementId, Note | None] = {}
        """What this life of the server has written; a placement that is not here may have a note of an earlier one."""

    def follow(self, state: PlacementState, decision: Decision) -> None:
        """Leave the note that the decision asks for, anew where somebody judged. Raises OSError."""
        placement, rollout = _as_decided(state, decision)
        if rollout and rollout.state is RolloutState.RETURNING and placement.reached_at is None:
            return  # it names the same way
        deployments = {one.id: one for one in decision.changes if isinstance(one, Deployment)}
        note = note_for(placement, rollout, {**state.deployments, **deployments}, self._batch)
        known = placement.id in self._left
        if note is None:
            if not known or self._left[placement.id] is not None:
                self._dead_man.forget(placement.id)
        elif state.measured or not known or self._left[placement.id] != note:
            self._dead_man.leave(note)
        self._left[placement.id] = note


def _as_decided(state: PlacementState, decision: Decision) -> tuple[Placement, Rollout | None]:
    placement, rollout = state.placement, state.rollout
    for one in decision.changes:
        match one:
            case Placement():
                placement = one
            case Rollout():
                rollout = one
    return placement, rollout
