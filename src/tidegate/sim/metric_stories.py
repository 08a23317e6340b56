"""Metrics of a service's own as stories: each is told again with a crash of the server at each point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shape import ORDERS, WISH_LIST
from tidegate.sim.shop import SimulatedService
from tidegate.sim.stories import CANARY, ends, first_is_out, let_in, must_be_quarantined
from tidegate.sim.telling import Story, ToldOtherwise

ORDERING = replace(CANARY, own=(ORDERS,))
WISHING = replace(CANARY, own=(WISH_LIST,))
LONG = ("{share: 50%, at_least: 3m}",)
"""Long enough for the five to ten windows after which clear harm is failed for (docs/sources.md)."""

SILENT_FOR = timedelta(seconds=90)


def _fewer_order(shop: SimulatedService) -> None:
    shop.world.version("v2").orders = 0.1
    ends(let_in(shop, "v2", replace(ORDERING, shares=LONG)), RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _fewer_wish(shop: SimulatedService) -> None:
    shop.world.version("v1").wishes, shop.world.version("v2").wishes = 0.2, 0.05
    ends(let_in(shop, "v2", replace(WISHING, shares=LONG)), RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _wishes_are_new(shop: SimulatedService) -> None:
    """There is nothing that a new feature could fall below."""
    shop.world.version("v2").wishes = 0.05
    ends(let_in(shop, "v2", WISHING), RunStatus.SUCCEEDED, "v2")


def _source_dies_at(step: int) -> Callable[[SimulatedService], None]:
    def tell(shop: SimulatedService) -> None:
        """Nothing passes and nothing goes back while the source is silent; it goes on when it speaks again."""
        world = shop.world
        run = let_in(shop, "v2", ORDERING)
        world.advance(until=run.rollout_is(RolloutState.JUDGING, step=step))
        world.own.silent_until = world.clock.now() + SILENT_FOR
        world.advance(SILENT_FOR * 0.9)
        if not run.rollout_is(RolloutState.JUDGING, step=step)():
            raise ToldOtherwise(f"it did not wait for orders at step {step}")
        ends(run, RunStatus.SUCCEEDED, "v2")

    return tell


METRIC_STORIES = (
    Story("fewer order", _fewer_order, first_is_out),
    Story("fewer use a feature", _fewer_wish, first_is_out),
    Story("a feature is new", _wishes_are_new, first_is_out),
    Story("the source of orders dies at the first share", _source_dies_at(0), first_is_out),
    Story("the source of orders dies at the second share", _source_dies_at(1), first_is_out),
    Story("the source of orders dies at the whole", _source_dies_at(2), first_is_out),
)
