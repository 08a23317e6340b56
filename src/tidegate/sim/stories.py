"""Short stories, each with its one end: told without a crash, and again with a crash at each point where one may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tidegate.judge.judge import Judge
from tidegate.model.event import EventKind
from tidegate.model.pipeline import Mode, Strategy
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.sim.ending import check_ending, is_at_rest, why_restless
from tidegate.sim.shape import Approve, Shape
from tidegate.sim.shop import ANNA, BEN, SimulatedRun, SimulatedService
from tidegate.sim.world import Chances, World, WorldStuck
from tidegate.store import queries

REST_AT_MOST = timedelta(hours=1)

QUICK = Shape(strategy=Strategy.BLUE_GREEN, staging=False, verified=False, keep_warm="0s")
CANARY = Shape(staging=False, shares=("10%", "50%"), keep_warm="0s")
ASKING = Shape(Mode.DELIVERY, staging=False, shares=("10%", Approve()), keep_warm="0s")
ROLLING = Shape(strategy=Strategy.ROLLING, staging=False, instances=3, verified=False, keep_warm="0s")


class ToldOtherwise(Exception):
    """A story did not end as it should."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happens (`tell` drives the world, and says so where the end is another) after `before`, whose crashes do
    not matter here."""

    name: str
    tell: Callable[[SimulatedService], None]
    before: Callable[[SimulatedService], None]


def tell(story: Story, crash_at: int | None = None, judge: Judge | None = None) -> World:
    """Tell a story in a world of its own, with a crash at a point or without one; the world at its end.

    Raises ToldOtherwise, WorldStuck and RuleBroken.
    """
    world = World(1, Chances(crash_at=crash_at, down_at_most_seconds=20), judge)
    shop = SimulatedService(world)
    story.before(shop)
    world.points.arm()
    story.tell(shop)
    world.points.arm(on=False)
    try:
        world.advance(until=lambda: is_at_rest(world), at_most=REST_AT_MOST)
    except WorldStuck as error:
        raise WorldStuck(f"{why_restless(world)}\n{error}") from None
    check_ending(world)
    return world


def crash_points(story: Story) -> int:
    """At how many points a crash of the server leaves something different behind."""
    return tell(story).points.count


def _ends(run: SimulatedRun, status: RunStatus, serving: str | None) -> None:
    run.service.world.advance(until=run.decided)
    shop = run.service
    if run.outcome is not status:
        raise ToldOtherwise(f"the run is {run.outcome.value}, not {status.value}: {run.row.because}")
    if shop.serving() != serving:
        raise ToldOtherwise(f"{shop.serving()} serves in production, not {serving}")


def _first_is_out(shop: SimulatedService, shape: Shape = QUICK) -> None:
    _ends(shop.push("v1", shape), RunStatus.SUCCEEDED, "v1")


def _nothing(shop: SimulatedService) -> None:
    """The story begins in an empty world."""


def _first_release(shop: SimulatedService) -> None:
    run = shop.push("v1", Shape(keep_warm="0s"))
    _ends(run, RunStatus.SUCCEEDED, "v1")
    if shop.serving("staging") != "v1":
        raise ToldOtherwise("it does not serve in staging")


def _good_canary(shop: SimulatedService) -> None:
    run = shop.push("v2", ASKING)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run, ANNA)
    shop.world.advance(until=run.rollout_is(RolloutState.ASKING))
    shop.approve(run, BEN)
    _ends(run, RunStatus.SUCCEEDED, "v2")


def _bad_canary(shop: SimulatedService) -> None:
    shop.world.version("v2").fails(0.2)
    run = shop.push("v2", CANARY)
    _ends(run, RunStatus.ROLLED_BACK, "v1")
    _must_be_quarantined(shop, quarantined=True)


def _breach_while_asking(shop: SimulatedService) -> None:
    run = shop.push("v2", ASKING)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run, ANNA)
    shop.world.advance(until=run.rollout_is(RolloutState.ASKING))
    shop.world.version("v2").fails(0.3)
    _ends(run, RunStatus.ROLLED_BACK, "v1")


def _newer_arrives(shop: SimulatedService) -> None:
    """The second is rolling out when the third arrives, and is finished first."""
    second = shop.push("v2", QUICK)
    shop.world.advance(until=second.rollout_is(RolloutState.MOVING))
    third = shop.push("v3", QUICK)
    _ends(third, RunStatus.SUCCEEDED, "v3")
    if second.outcome is not RunStatus.SUCCEEDED:
        raise ToldOtherwise(f"the one before is {second.outcome.value}")


def _superseded(shop: SimulatedService) -> None:
    """The second waits for an approval when the third arrives, and only the third gets one."""
    shape = Shape(Mode.DELIVERY, Strategy.BLUE_GREEN, staging=False, verified=False, keep_warm="0s")
    second = shop.push("v2", shape)
    shop.world.advance(until=second.waits_at("production"))
    third = shop.push("v3", shape)
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third, ANNA)
    _ends(third, RunStatus.SUCCEEDED, "v3")
    _ends(second, RunStatus.SUPERSEDED, "v3")


def _rolled_back_by_a_person(shop: SimulatedService) -> None:
    run = shop.push("v2", ROLLING)
    shop.world.advance(until=run.rollout_is(RolloutState.MOVING, step=1))
    shop.roll_back()
    _ends(run, RunStatus.ROLLED_BACK, "v1")
    _must_be_quarantined(shop, quarantined=True)


def _cancelled_while_installing(shop: SimulatedService) -> None:
    run = shop.push("v2", CANARY)
    shop.world.advance(until=run.rollout_is(RolloutState.MOVING))
    shop.cancel(run)
    _ends(run, RunStatus.CANCELLED, "v1")
    if run.stage("production").state not in (StageState.CANCELLED, StageState.ROLLED_BACK):
        raise ToldOtherwise(f"its stage is {run.stage('production').state.value}")
    _must_be_quarantined(shop, quarantined=False)


def _never_healthy(shop: SimulatedService) -> None:
    shop.world.version("v2").never_healthy = True
    _ends(shop.push("v2", QUICK), RunStatus.ROLLED_BACK, "v1")
    _must_be_quarantined(shop, quarantined=True)


def _must_be_quarantined(shop: SimulatedService, *, quarantined: bool) -> None:
    world, placement = shop.world, shop.placement()
    assert placement is not None
    with world.database.reading() as connection:
        found = queries.deployments_of_placement(connection, placement.id)
    second = next(one for one in found if one.commit == world.version("v2").commit)
    if second.is_quarantined != quarantined or shop.count(EventKind.DEPLOYMENT_QUARANTINED) != quarantined:
        raise ToldOtherwise(f"v2 is {'' if second.is_quarantined else 'not '}quarantined")


STORIES = (
    Story("a first release", _first_release, _nothing),
    Story("a good canary with approvals", _good_canary, _first_is_out),
    Story("a bad canary", _bad_canary, _first_is_out),
    Story("a breach while people are asked", _breach_while_asking, _first_is_out),
    Story("a newer release arrives during a rollout", _newer_arrives, _first_is_out),
    Story("a newer release arrives at the gate", _superseded, _first_is_out),
    Story("a person rolls back a rolling rollout", _rolled_back_by_a_person, lambda shop: _first_is_out(shop, ROLLING)),
    Story("a cancel while it is being installed", _cancelled_while_installing, _first_is_out),
    Story("a deployment that never becomes healthy", _never_healthy, _first_is_out),
)
