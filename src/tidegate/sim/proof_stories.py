"""Checks and load checks as stories: each is told again with a crash of the server at each point."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.event import EventKind
from tidegate.model.pipeline import Mode, Strategy
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.step_run import StepState
from tidegate.sim.shape import Shape
from tidegate.sim.shop import SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.stories import ends, first_is_out, let_in, must_be_quarantined
from tidegate.sim.telling import Story, ToldOtherwise
from tidegate.store import queries

CHECKED = Shape(Mode.DELIVERY, Strategy.BLUE_GREEN, staging=False, objective="98%", keep_warm="0s", checks=1)
LOADED = Shape(Mode.DELIVERY, Strategy.BLUE_GREEN, staging=False, objective="98%", keep_warm="0s", load=True)
PROVEN = Shape(Mode.DELIVERY, shares=("50%",), staging=False, keep_warm="0s", checks=2, load=True)
SILENT_FOR = timedelta(seconds=90)


def _proves_itself(shop: SimulatedService) -> None:
    ends(let_in(shop, "v2", PROVEN), RunStatus.SUCCEEDED, "v2")
    if shop.count(EventKind.LOAD_CHECKED) != 1:
        raise ToldOtherwise("its load check was not made once")


def _check_fails(shop: SimulatedService) -> None:
    shop.world.version("v2").checks_fail = True
    _taken_back(let_in(shop, "v2", CHECKED))


def _holds_too_little(shop: SimulatedService) -> None:
    shop.world.version("v2").saturates = True
    _taken_back(let_in(shop, "v2", LOADED))


def _taken_back(run: SimulatedRun) -> None:
    ends(run, RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(run.service, quarantined=True)


def _lost_in_a_check(shop: SimulatedService) -> None:
    """A round that was lost is no data: the next one comes in its time, and only that lets it pass."""
    run = let_in(shop, "v2", CHECKED)
    _lose_the_agent_in(run)
    shop.world.advance(timedelta(minutes=2))
    if not run.rollout_is(RolloutState.JUDGING)():
        raise ToldOtherwise("it did not wait for another round")
    ends(run, RunStatus.SUCCEEDED, "v2")


def _lost_in_a_load_check(shop: SimulatedService) -> None:
    """A load check that was lost says nothing, and is made again."""
    run = let_in(shop, "v2", LOADED)
    _lose_the_agent_in(run)
    ends(run, RunStatus.SUCCEEDED, "v2")
    if shop.count(EventKind.LOAD_CHECKED) != 1:
        raise ToldOtherwise("its load check did not come to anything once")


def _lose_the_agent_in(run: SimulatedRun) -> None:
    """Let the agent end while it performs a check of production."""
    world = run.service.world
    world.advance(until=lambda: _runs_in_production(run) and world.agent.performs_something)
    world.agent.end()


def _runs_in_production(run: SimulatedRun) -> bool:
    with run.service.world.database.reading() as connection:
        steps = queries.steps(connection, run.id)
    return any(one.scope == "production" and one.state is StepState.RUNNING for one in steps)


def _figures_stop(shop: SimulatedService) -> None:
    """Checks went well, and nothing passes all the same while there are no figures."""
    world = shop.world
    run = let_in(shop, "v2", CHECKED)
    world.advance(until=run.rollout_is(RolloutState.JUDGING))
    world.traffic.silent_until = world.clock.now() + SILENT_FOR
    world.advance(SILENT_FOR * 0.9)
    if not run.rollout_is(RolloutState.JUDGING)():
        raise ToldOtherwise("it did not wait for figures")
    ends(run, RunStatus.SUCCEEDED, "v2")


PROOF_STORIES = (
    Story("a release proves itself by checks and under load", _proves_itself, first_is_out),
    Story("a check fails", _check_fails, first_is_out),
    Story("a service holds too little", _holds_too_little, first_is_out),
    Story("the agent is lost in a check", _lost_in_a_check, first_is_out),
    Story("the agent is lost in a load check", _lost_in_a_load_check, first_is_out),
    Story("the figures stop while checks go well", _figures_stop, first_is_out),
)
