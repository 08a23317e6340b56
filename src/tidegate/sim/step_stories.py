"""The faults of a rehearsal as stories, each beginning at each step of a canary: first share, second share, the whole.

Each is told again with a crash of the server at each point, which is the fault `server`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shop import SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.stories import CANARY, QUICK, ends, first_is_out, let_in, must_be_quarantined
from tidegate.sim.telling import Story, ToldOtherwise

STEPS = ("first share", "second share", "whole")
GROWING = replace(CANARY, instances=3, shares=("10%", "60%"))
"""Instances are added with each step."""

SILENT_FOR = timedelta(seconds=90)
DIES_AFTER = timedelta(seconds=5)

Fault = Callable[[SimulatedService], None]


def _errors(shop: SimulatedService) -> None:
    shop.world.version("v2").fails(0.3)


def _slow(shop: SimulatedService) -> None:
    shop.world.version("v2").slows(3.0)


def _leak(shop: SimulatedService) -> None:
    shop.world.version("v2").leaks(0.5)


def _crash(shop: SimulatedService) -> None:
    shop.world.target.let_die(shop.world.version("v2"), DIES_AFTER)


def _unhealthy(shop: SimulatedService) -> None:
    shop.world.version("v2").never_healthy = True


def _at(step: int, fault: Fault, shop: SimulatedService) -> SimulatedRun:
    """Let the second version come as far as the step, and the fault begin there."""
    run = let_in(shop, "v2", GROWING)
    shop.world.advance(until=run.rollout_is(RolloutState.JUDGING, step=step))
    fault(shop)
    return run


def _taken_back_from(step: int, fault: Fault) -> Callable[[SimulatedService], None]:
    def tell(shop: SimulatedService) -> None:
        ends(_at(step, fault, shop), RunStatus.ROLLED_BACK, "v1")
        must_be_quarantined(shop, quarantined=True)

    return tell


def _figures_stop_at(step: int) -> Callable[[SimulatedService], None]:
    def stop(shop: SimulatedService) -> None:
        shop.world.traffic.silent_until = shop.world.clock.now() + SILENT_FOR

    def tell(shop: SimulatedService) -> None:
        run = _at(step, stop, shop)
        shop.world.advance(SILENT_FOR * 0.9)
        if not run.rollout_is(RolloutState.JUDGING, step=step)():
            raise ToldOtherwise(f"it did not wait for figures at the {STEPS[step]}")
        ends(run, RunStatus.SUCCEEDED, "v2")

    return tell


def _agent_lost_at(step: int) -> Callable[[SimulatedService], None]:
    def lose(shop: SimulatedService) -> None:
        shop.push("v3", replace(QUICK, step_attempts=2))
        shop.world.advance(until=lambda: shop.world.agent.performs_something)
        shop.world.agent.end()

    def tell(shop: SimulatedService) -> None:
        """It performed the build of the next one: this one goes on, and the next one is built all the same."""
        ends(_at(step, lose, shop), RunStatus.SUCCEEDED, "v2")
        third = shop.run_of("v3")
        shop.world.advance(until=third.waits_at("production"))
        if third.outcome is not RunStatus.WAITING:
            raise ToldOtherwise(f"the next one is {third.outcome.value}")

    return tell


def _stories() -> tuple[Story, ...]:
    """One of each fault at each step at which it may begin."""
    harmful = {"errors": _errors, "slow answers": _slow, "a leak": _leak, "crashes": _crash}
    told = [
        (f"{name} from the {STEPS[step]} on", _taken_back_from(step, fault))
        for name, fault in harmful.items()
        for step in range(len(STEPS))
    ]
    # what is healthy at the whole has all its instances
    told += [(f"nothing gets healthy after the {STEPS[step]}", _taken_back_from(step, _unhealthy)) for step in (0, 1)]
    told += [(f"no figures from the {STEPS[step]} on", _figures_stop_at(step)) for step in range(len(STEPS))]
    told += [(f"the agent is lost at the {STEPS[step]}", _agent_lost_at(step)) for step in range(len(STEPS))]
    return tuple(Story(name, tell, first_is_out) for name, tell in told)


STEP_STORIES = _stories()
