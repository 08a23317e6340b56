"""What cannot be undone, in the moment between the end of its rollout and its beginning."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.floor_stories import DROPPING, has_floor
from tidegate.sim.shop import SimulatedService
from tidegate.sim.stories import QUICK, first_is_out, let_in
from tidegate.sim.world import World

PASSED = (RolloutState.WATCHING, RolloutState.SUCCEEDED)


@pytest.mark.parametrize("seed", range(6))
def test_an_older_release_that_waits_does_not_come_between(seed: int) -> None:
    """Chance says which run is looked at first when the placement is free."""
    world = World(seed)
    shop = SimulatedService(world)
    first_is_out(shop)
    second = let_in(shop, "v2", DROPPING)
    world.advance(until=second.rollout_is(RolloutState.MOVING))
    older = shop.deploy("v1")
    world.advance(until=older.waits_at("production"))
    shop.approve(older)
    world.advance(until=second.decided)
    assert (second.outcome, shop.serving(), has_floor(shop)) == (RunStatus.SUCCEEDED, "v2", True)
    world.advance(timedelta(minutes=1))
    assert older.outcome is RunStatus.WAITING and any(one.rule == "floor" for one in older.row.because)


@pytest.mark.parametrize("seed", range(3))
def test_what_goes_back_just_then_begins_nothing_that_cannot_be_undone(seed: int) -> None:
    world = World(seed)
    shop = SimulatedService(world)
    first_is_out(shop, QUICK)
    run = let_in(shop, "v2", DROPPING)
    world.advance(until=run.rollout_is(*PASSED))
    shop.roll_back()
    world.advance(until=run.decided)
    world.advance(until=lambda: shop.serving() == "v1")
    assert (run.outcome, has_floor(shop)) == (RunStatus.ROLLED_BACK, False)
