"""The faults of a rehearsal as stories: each is told again with a crash of the server at each point."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shop import SimulatedService
from tidegate.sim.stories import CANARY, QUICK, ends, first_is_out, let_in, must_be_quarantined
from tidegate.sim.telling import Story, ToldOtherwise

SILENT_FOR = timedelta(seconds=90)


def _taken_back(shop: SimulatedService) -> None:
    ends(let_in(shop, "v2", CANARY), RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _slow(shop: SimulatedService) -> None:
    shop.world.version("v2").slows(3.0)
    _taken_back(shop)


def _leak(shop: SimulatedService) -> None:
    shop.world.version("v2").leaks(0.5)
    _taken_back(shop)


def _crash_loop(shop: SimulatedService) -> None:
    shop.world.version("v2").dies_after = timedelta(seconds=5)
    _taken_back(shop)


def _figures_stop(shop: SimulatedService) -> None:
    """Nothing passes and nothing goes back while there are no figures; it goes on when they are there again."""
    world = shop.world
    run = let_in(shop, "v2", CANARY)
    world.advance(until=run.rollout_is(RolloutState.JUDGING))
    world.traffic.silent_until = world.clock.now() + SILENT_FOR
    world.advance(SILENT_FOR * 0.9)
    if not run.rollout_is(RolloutState.JUDGING, step=0)():
        raise ToldOtherwise("it did not wait for figures at its first share")
    ends(run, RunStatus.SUCCEEDED, "v2")


def _agent_lost(shop: SimulatedService) -> None:
    """The agent ends in the middle of a step; the file says that a lost step is tried again."""
    run = shop.push("v2", replace(QUICK, step_attempts=2))
    shop.world.advance(until=lambda: shop.world.agent.performs_something)
    shop.world.agent.end()
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run)
    ends(run, RunStatus.SUCCEEDED, "v2")


REHEARSAL_STORIES = (
    Story("a slow canary", _slow, first_is_out),
    Story("a canary that gets worse by the minute", _leak, first_is_out),
    Story("a canary whose instances end again and again", _crash_loop, first_is_out),
    Story("the figures stop while a canary is judged", _figures_stop, first_is_out),
    Story("the agent is lost in a step", _agent_lost, first_is_out),
)
