"""A server that stays away in the middle of a canary, in the simulated world."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidegate.model.event import EventKind
from tidegate.model.pipeline import Mode, OnBlind
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.broken import RuleBroken
from tidegate.sim.shape import Shape
from tidegate.sim.shop import SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.stories import QUICK
from tidegate.sim.world import World

BLIND = Shape(Mode.DELIVERY, staging=False, shares=("10%", "50%"), keep_warm="0s", blind_after="100s", soak="30s")
AWAY = timedelta(minutes=4)


def _at_its_share(world: World, shape: Shape = BLIND) -> tuple[SimulatedService, SimulatedRun]:
    """The second version has 10% of the traffic; the first one served before."""
    shop = SimulatedService(world)
    for version, its in (("v1", QUICK), ("v2", shape)):
        run = shop.push(version, its)
        world.advance(until=run.waits_at("production"))
        shop.approve(run)
        if version == "v1":
            world.advance(until=run.decided)
    world.advance(until=run.rollout_is(RolloutState.JUDGING))
    return shop, run


def _told(world: World, kind: EventKind) -> int:
    return sum(one.event.kind is kind for one in world.rules.seen)


def test_a_good_version_comes_as_late_as_the_server_does() -> None:
    world = World(1)
    shop, run = _at_its_share(world)
    world.kill_the_server(AWAY)
    world.advance(until=run.decided)
    assert (run.outcome, shop.serving()) == (RunStatus.SUCCEEDED, "v2")
    assert _told(world, EventKind.ROLLOUT_FELL_BACK) == 1


def test_what_a_bad_version_did_meanwhile_is_judged_and_it_gets_nothing_again() -> None:
    world = World(1)
    shop, run = _at_its_share(world)
    world.version("v2").fails(0.5)
    world.kill_the_server(AWAY)
    world.advance(until=run.decided)
    assert (run.outcome, shop.serving()) == (RunStatus.ROLLED_BACK, "v1")
    assert _told(world, EventKind.ROLLOUT_FELL_BACK) == 1
    assert _told(world, EventKind.ROLLOUT_SHARES) == 2, "the first release's, and 10% once"


def test_a_share_stays_where_the_file_says_so() -> None:
    world = World(1)
    shape = Shape(Mode.DELIVERY, staging=False, keep_warm="0s", blind=OnBlind.HOLD, blind_after="40s")
    _, run = _at_its_share(world, shape)
    world.kill_the_server(AWAY)
    world.advance(until=run.decided)
    assert run.outcome is RunStatus.SUCCEEDED
    assert _told(world, EventKind.ROLLOUT_FELL_BACK) == 0


def test_without_the_dead_man_the_rule_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(1)
    _at_its_share(world)
    monkeypatch.setattr(world.dead_man, "_falls_back", lambda note, overdue_at: True)
    world.kill_the_server(AWAY)
    with pytest.raises(RuleBroken, match="no share stays that nobody judges"):
        world.advance(AWAY * 2)
