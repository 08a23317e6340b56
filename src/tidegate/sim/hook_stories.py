"""What runs after a rollback as stories, with a crash of the server at each point."""

from __future__ import annotations

from dataclasses import replace

from tidegate.model.run import RunStatus
from tidegate.sim.shop import SimulatedService
from tidegate.sim.stories import CANARY, QUICK, ends, first_is_out, let_in
from tidegate.sim.telling import Story

HOOKED = replace(CANARY, hooks=True)


def _canary_goes_back(shop: SimulatedService) -> None:
    run = let_in(shop, "v2", HOOKED)
    shop.world.version("v2").fails(0.5)
    ends(run, RunStatus.ROLLED_BACK, "v1")


def _taken_back_at_rest(shop: SimulatedService) -> None:
    """A person takes back what had served for long; what it asks for fails, and nothing comes of that."""
    ends(let_in(shop, "v2", replace(QUICK, hooks=True)), RunStatus.SUCCEEDED, "v2")
    shop.world.version("v2").tests_fail = True
    shop.roll_back()
    shop.world.advance(until=lambda: shop.serving() == "v1")


HOOK_STORIES = (
    Story("what runs after a canary went back", _canary_goes_back, first_is_out),
    Story("what runs after a person took back what served", _taken_back_at_rest, first_is_out),
)
