"""Drills as stories: each is told again with a crash of the server at each point."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from tidegate.engine.refusal import Refused
from tidegate.model.drill import DrillState
from tidegate.model.event import EventKind
from tidegate.model.ids import EnvironmentName
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shop import SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.stories import CANARY, QUICK, ends, two_are_out
from tidegate.sim.telling import Story, ToldOtherwise

STAGING = EnvironmentName("staging")
STAGED = replace(QUICK, staging=True, staging_steps=False)


def _goes_well(shop: SimulatedService) -> None:
    """The first release comes for a moment, and the second serves again."""
    _ended(_let_in(shop), DrillState.PASSED)


def _let_in(shop: SimulatedService) -> SimulatedRun:
    run = shop.drill()
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run)
    return run


def _ended(
    run: SimulatedRun,
    state: DrillState,
    environment: str = "production",
    serves: str = "v2",
    within: timedelta | None = None,
) -> None:
    shop = run.service
    shop.world.advance(until=lambda: shop.drills()[0].is_ended, at_most=within)
    drill = shop.drills()[0]
    if drill.state is not state or shop.serving(environment) != serves:
        raise ToldOtherwise(f"{drill.state.value}: {drill.went_wrong}; {shop.serving(environment)} serves")
    shop.world.advance(until=run.decided)


def _finds_what_does_not_start(shop: SimulatedService) -> None:
    """The newest release, which nobody approved yet, is practised with and never gets healthy: that takes nothing
    from it, and it still waits."""
    shop.world.version("v3").never_healthy = True
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    _ended(_let_in(shop), DrillState.FAILED)
    if third.outcome is not RunStatus.WAITING:
        raise ToldOtherwise(f"the release that was practised with is {third.outcome.value}")


def _was_taken_back(shop: SimulatedService) -> None:
    """What was to be practised with is let in by itself first, and goes back for cause: practice does not bring it
    back, and it stays quarantined."""
    shop.world.version("v3").never_healthy = True
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    run = shop.drill()
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(third)
    ends(third, RunStatus.ROLLED_BACK, "v2")
    with suppress(Refused):
        shop.approve(run)
    _ended(run, DrillState.FAILED)
    if shop.count(EventKind.DEPLOYMENT_RELEASED):
        raise ToldOtherwise("practice took the quarantine away")


def _waits_for_peace(shop: SimulatedService) -> None:
    """An incident begins while a drill waits at its gate: it comes in when that is over, whoever has let it in."""
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    run = shop.drill()
    shop.world.advance(until=run.waits_at("production"))
    shop.roll_back()
    shop.world.advance(until=lambda: shop.serving() == "v1")
    shop.approve(run)
    shop.world.advance(timedelta(minutes=2))
    if run.rollout() is not None:
        raise ToldOtherwise("it began amid an incident")
    _ended(run, DrillState.PASSED, serves="v1", within=timedelta(minutes=20))


def _newer_comes(shop: SimulatedService) -> None:
    """A release comes while a drill is under way, and goes out after it."""
    run = _let_in(shop)
    shop.world.advance(until=run.rollout_is(RolloutState.MOVING))
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.world.advance(until=lambda: shop.drills()[0].is_ended)
    shop.approve(third)
    ends(third, RunStatus.SUCCEEDED, "v3")
    if shop.drills()[0].state is not DrillState.PASSED:
        raise ToldOtherwise(f"{shop.drills()[0].went_wrong}")


def _begins_by_itself(shop: SimulatedService) -> None:
    """The server's file says that staging is drilled: once, and not again before its time."""
    shop.world.schedule_drills(STAGING, timedelta(days=1))
    shop.world.advance(until=lambda: bool(shop.drills()))
    _ended(SimulatedRun(shop, shop.drills()[0].run), DrillState.PASSED, STAGING)
    shop.world.advance(timedelta(minutes=2))
    if shop.count(EventKind.DRILL_BEGAN) != 1:
        raise ToldOtherwise(f"{shop.count(EventKind.DRILL_BEGAN)} drills began")


def _two_are_staged(shop: SimulatedService) -> None:
    two_are_out(shop, STAGED)


def _two_by_canary(shop: SimulatedService) -> None:
    two_are_out(shop, CANARY)


def _two_at_once(shop: SimulatedService) -> None:
    two_are_out(shop, QUICK)


def _given_up(shop: SimulatedService) -> None:
    """Nobody lets it in: it is given up, and nothing has moved."""
    run = shop.drill()
    shop.world.advance(until=run.decided, at_most=timedelta(hours=1))
    _ended(run, DrillState.FAILED)


DRILL_STORIES = (
    Story("a drill goes well", _goes_well, _two_at_once),
    Story("a drill goes as far as the first share", _goes_well, _two_by_canary),
    Story("a drill finds a release that does not start", _finds_what_does_not_start, _two_at_once),
    Story("a drill finds its release taken back", _was_taken_back, _two_at_once),
    Story("an incident begins while a drill waits", _waits_for_peace, _two_at_once),
    Story("a release comes during a drill", _newer_comes, _two_at_once),
    Story("a drill begins by itself", _begins_by_itself, _two_are_staged),
    Story("a drill is given up", _given_up, _two_at_once),
)
