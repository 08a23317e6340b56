"""Engines that are broken on purpose in their drills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.integration.sim.mutants import Mutant, Patch, Seeds, Told

from tidegate.engine import drill_looks, engine
from tidegate.engine.drill_looks import DrillLook
from tidegate.model import drill, gate_order, rollout_forward, run_stages
from tidegate.model.drill import Drill, DrillState, drill_plan, ended
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.recurrence import Recurrence
from tidegate.model.rollout import Cause, Rollout, RolloutStep
from tidegate.model.rollout_return import decide_rollback
from tidegate.sim.drill_stories import DRILL_STORIES

WELL, SHARE, FINDS, TAKEN, PEACE, _, BY_ITSELF, GIVEN_UP = DRILL_STORIES


def a_drill_goes_back_as_anything_else_does(patch: Patch) -> None:
    def in_earnest(draft: PlacementDraft, cause: Cause) -> None:
        draft.update_rollout(drill=False)
        decide_rollback(draft, cause)

    patch.setattr(rollout_forward, "decide_rollback", in_earnest)


def a_drill_is_judged_and_stays(patch: Patch) -> None:
    judge = rollout_forward._judge

    def stay(draft: PlacementDraft, _rollout: Rollout) -> None:
        judge(draft, draft.update_rollout(drill=False))

    patch.setattr(rollout_forward, "_judge", stay)


def a_drill_goes_to_all_of_the_traffic(patch: Patch) -> None:
    def whole(plan: Sequence[RolloutStep], *, protected: bool) -> tuple[RolloutStep, ...]:
        return drill_plan(plan, protected=False)

    patch.setattr(run_stages, "drill_plan", whole)


def a_drill_went_well_as_soon_as_it_began(patch: Patch) -> None:
    def well(going: Drill, run: Any, rollout: Rollout | None, good: Any, seen: Any, now: datetime) -> Drill | None:
        over = ended(going, run, rollout, good, seen, now)
        begun = rollout is not None and rollout.step_since is not None
        return over or (replace(going, state=DrillState.PASSED, ended_at=now) if begun else None)

    patch.setattr(drill_looks, "ended", well)


def nobody_looks_at_drills(patch: Patch) -> None:
    patch.setattr(engine, "look_at_drill", lambda *_: DrillLook())


def practice_brings_back_what_was_taken_back(patch: Patch) -> None:
    quarantine = gate_order.quarantine
    patch.setattr(gate_order, "quarantine", lambda question: quarantine(replace(question, is_drill=False)))


def a_drill_minds_no_incident(patch: Patch) -> None:
    patch.setattr(gate_order, "peace", lambda _question: ())


def a_drill_is_always_due(patch: Patch) -> None:
    patch.setattr(Recurrence, "is_due", lambda *_: True)


def a_drill_that_nobody_lets_in_is_not_given_up(patch: Patch) -> None:
    for module in (drill, drill_looks):
        patch.setattr(module, "AT_MOST", timedelta(days=3))


MUTANTS = (
    Mutant(
        "a drill goes back as anything else does",
        a_drill_goes_back_as_anything_else_does,
        Told(FINDS),
        "a drill takes nothing away",
    ),
    Mutant("a drill is judged and stays", a_drill_is_judged_and_stays, Told(WELL), "a drill goes back"),
    Mutant(
        "a drill goes to all of the traffic",
        a_drill_goes_to_all_of_the_traffic,
        Told(SHARE),
        "a drill goes as far as the first share",
    ),
    Mutant(
        "a drill went well as soon as it began",
        a_drill_went_well_as_soon_as_it_began,
        Told(WELL),
        "a drill that went well left all as it was",
    ),
    Mutant("nobody looks at drills", nobody_looks_at_drills, Seeds(14, 1), "a drill ends with its run"),
    Mutant(
        "practice brings back what was taken back",
        practice_brings_back_what_was_taken_back,
        Told(TAKEN),
        "a drill takes nothing away",
    ),
    Mutant("a drill minds no incident", a_drill_minds_no_incident, Told(PEACE), "nobody drills amid an incident"),
    Mutant("a drill is always due", a_drill_is_always_due, Told(BY_ITSELF), ""),
    Mutant(
        "a drill that nobody lets in is not given up", a_drill_that_nobody_lets_in_is_not_given_up, Told(GIVEN_UP), ""
    ),
)
