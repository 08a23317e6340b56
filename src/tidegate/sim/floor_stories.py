"""Rule 8 as stories: what happens after a step that cannot be undone, with a crash of the server at each point."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shop import PRODUCTION, SimulatedService
from tidegate.sim.stories import CANARY, QUICK, ends, first_is_out, let_in
from tidegate.sim.telling import Story, ToldOtherwise

DROPPING = replace(QUICK, drops=True)


def has_floor(shop: SimulatedService) -> bool:
    """Whether something in production cannot be undone."""
    placement = shop.placement(PRODUCTION)
    return placement is not None and placement.floor is not None


def _rollback_is_held(shop: SimulatedService) -> None:
    """A person asks for a rollback: nothing moves until somebody says that it can."""
    ends(let_in(shop, "v2", DROPPING), RunStatus.SUCCEEDED, "v2")
    if not has_floor(shop):
        raise ToldOtherwise("the step that cannot be undone left no floor")
    shop.roll_back()
    shop.world.advance(timedelta(seconds=20))
    if shop.serving() != "v2":
        raise ToldOtherwise(f"{shop.serving()} serves below the floor")
    shop.lift_floor()
    shop.roll_back()
    shop.world.advance(until=lambda: shop.serving() == "v1")


def _step_fails(shop: SimulatedService) -> None:
    """The step that cannot be undone fails: the release stays, and the next one goes on from there."""
    shop.world.version("v2").tests_fail = True
    ends(let_in(shop, "v2", DROPPING), RunStatus.FAILED, "v2")
    ends(let_in(shop, "v3", QUICK), RunStatus.SUCCEEDED, "v3")


def _waits_for_verification(shop: SimulatedService) -> None:
    """Harm that comes at the whole takes the release back, before anything was done that cannot be undone."""
    run = let_in(shop, "v2", replace(CANARY, drops=True))
    shop.world.advance(until=run.rollout_is(RolloutState.JUDGING, step=2))
    shop.world.version("v2").fails(0.5)
    ends(run, RunStatus.ROLLED_BACK, "v1")
    if has_floor(shop):
        raise ToldOtherwise("a release that went back left a floor")


FLOOR_STORIES = (
    Story("a rollback below the floor", _rollback_is_held, first_is_out),
    Story("a step that cannot be undone fails", _step_fails, first_is_out),
    Story("a step that cannot be undone waits for the verification", _waits_for_verification, first_is_out),
)
