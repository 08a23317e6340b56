"""Engines that are broken on purpose in what they do where something cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence

from tests.integration.sim.mutants import Mutant, Patch, Told

from tidegate.model import decide_placement, rollout_floor, run_stages
from tidegate.model.rollout import Rollout
from tidegate.model.step_run import StepRun
from tidegate.sim.floor_stories import FLOOR_STORIES

HELD, _, WAITS = FLOOR_STORIES


def a_floor_holds_nothing(patch: Patch) -> None:
    patch.setattr(decide_placement, "hold_at_floor", lambda *_: False)


def what_cannot_be_undone_leaves_no_floor(patch: Patch) -> None:
    patch.setattr(run_stages, "set_floor", lambda *_: None)


def what_cannot_be_undone_does_not_wait_for_its_turn(patch: Patch) -> None:
    def all_at_once(steps: Sequence[StepRun], _rollout: Rollout | None) -> tuple[StepRun, ...]:
        return tuple(steps)

    patch.setattr(run_stages, "steps_in_turn", all_at_once)


def what_is_held_opens_no_incident(patch: Patch) -> None:
    patch.setattr(rollout_floor, "open_for", lambda *_: None)


MUTANTS = (
    Mutant("a floor holds nothing", a_floor_holds_nothing, Told(HELD), "8 nothing below the floor serves"),
    Mutant("what cannot be undone leaves no floor", what_cannot_be_undone_leaves_no_floor, Told(HELD), "the step that"),
    Mutant(
        "what cannot be undone does not wait for its turn",
        what_cannot_be_undone_does_not_wait_for_its_turn,
        Told(WAITS),
        "8 what cannot be undone begins last",
    ),
    Mutant("what is held opens no incident", what_is_held_opens_no_incident, Told(HELD), "8 what is held at its floor"),
)
