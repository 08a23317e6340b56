"""Short stories, each with its one end: told without a crash, and again with a crash at each point where one may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind
from tidegate.model.pipeline import Mode, Strategy
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.sim.shape import Approve, Shape
from tidegate.sim.shop import ANNA, BEN, SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.telling import Story, ToldOtherwise
from tidegate.store import queries

QUICK = Shape(Mode.DELIVERY, Strategy.BLUE_GREEN, staging=False, verified=False, keep_warm="0s")
CANARY = Shape(Mode.DELIVERY, staging=False, shares=("10%", "50%"), keep_warm="0s")
ASKING = Shape(Mode.DELIVERY, staging=False, shares=("10%", Approve()), keep_warm="0s")
ROLLING = Shape(Mode.DELIVERY, strategy=Strategy.ROLLING, staging=False, instances=3, verified=False, keep_warm="0s")
WATCHED = Shape(
    Mode.DELIVERY,
    Strategy.BLUE_GREEN,
    staging_steps=False,
    staging_verified=True,
    verified=False,
    watch="60s",
    keep_warm="0s",
    objective="98%",
)


def ends(run: SimulatedRun, status: RunStatus, serving: str | None) -> None:
    """Wait for the run's end. Raises ToldOtherwise where it, or what serves in production, is another."""
    run.service.world.advance(until=run.decided)
    shop = run.service
    if run.outcome is not status:
        raise ToldOtherwise(f"the run is {run.outcome.value}, not {status.value}: {run.row.because}")
    if shop.serving() != serving:
        raise ToldOtherwise(f"{shop.serving()} serves in production, not {serving}")


def let_in(shop: SimulatedService, version: str, shape: Shape) -> SimulatedRun:
    """Push a version, and approve it as soon as production asks."""
    run = shop.push(version, shape)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run)
    return run


def first_is_out(shop: SimulatedService, shape: Shape = QUICK) -> None:
    """A first version serves in production."""
    ends(let_in(shop, "v1", shape), RunStatus.SUCCEEDED, "v1")


def _first_is_rolled_out(shop: SimulatedService) -> None:
    first_is_out(shop, ROLLING)


def _first_is_watched(shop: SimulatedService) -> None:
    first_is_out(shop, WATCHED)


def _nothing(shop: SimulatedService) -> None:
    """The story begins in an empty world."""


def _first_release(shop: SimulatedService) -> None:
    run = shop.push("v1", Shape(keep_warm="0s"))
    ends(run, RunStatus.SUCCEEDED, "v1")
    if shop.serving("staging") != "v1":
        raise ToldOtherwise("it does not serve in staging")


def _good_canary(shop: SimulatedService) -> None:
    run = shop.push("v2", ASKING)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run, ANNA)
    shop.world.advance(until=run.rollout_is(RolloutState.ASKING))
    shop.approve(run, BEN)
    ends(run, RunStatus.SUCCEEDED, "v2")


def _bad_canary(shop: SimulatedService) -> None:
    shop.world.version("v2").fails(0.2)
    run = let_in(shop, "v2", CANARY)
    ends(run, RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _breach_while_asking(shop: SimulatedService) -> None:
    run = shop.push("v2", ASKING)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run, ANNA)
    shop.world.advance(until=run.rollout_is(RolloutState.ASKING))
    shop.world.version("v2").fails(0.3)
    ends(run, RunStatus.ROLLED_BACK, "v1")


def _newer_arrives(shop: SimulatedService) -> None:
    """The second is rolling out when the third arrives, and is finished first."""
    second = let_in(shop, "v2", QUICK)
    shop.world.advance(until=second.rollout_is(RolloutState.MOVING))
    third = let_in(shop, "v3", QUICK)
    ends(third, RunStatus.SUCCEEDED, "v3")
    if second.outcome is not RunStatus.SUCCEEDED:
        raise ToldOtherwise(f"the one before is {second.outcome.value}")


def _superseded(shop: SimulatedService) -> None:
    """The second waits for an approval when the third arrives, and only the third gets one."""
    second = shop.push("v2", QUICK)
    shop.world.advance(until=second.waits_at("production"))
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third, ANNA)
    ends(third, RunStatus.SUCCEEDED, "v3")
    ends(second, RunStatus.SUPERSEDED, "v3")


def _rolled_back_by_a_person(shop: SimulatedService) -> None:
    run = let_in(shop, "v2", ROLLING)
    shop.world.advance(until=run.rollout_is(RolloutState.MOVING, step=1))
    shop.roll_back()
    ends(run, RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _cancelled_while_installing(shop: SimulatedService) -> None:
    run = let_in(shop, "v2", CANARY)
    shop.world.advance(until=lambda: _is_present(shop, "v2"))
    shop.cancel(run)
    ends(run, RunStatus.CANCELLED, "v1")
    if run.stage("production").state not in (StageState.CANCELLED, StageState.ROLLED_BACK):
        raise ToldOtherwise(f"its stage is {run.stage('production').state.value}")
    must_be_quarantined(shop, quarantined=False)


def _never_healthy(shop: SimulatedService) -> None:
    shop.world.version("v2").never_healthy = True
    ends(let_in(shop, "v2", QUICK), RunStatus.ROLLED_BACK, "v1")
    must_be_quarantined(shop, quarantined=True)


def _first_good_second_bad(shop: SimulatedService) -> None:
    first_is_out(shop)
    _never_healthy(shop)


def _line_stopped(shop: SimulatedService) -> None:
    """The third is the second in a row to go back for cause, so the fourth waits until a person says go."""
    shop.world.version("v3").never_healthy = True
    ends(let_in(shop, "v3", QUICK), RunStatus.ROLLED_BACK, "v1")
    fourth = shop.push("v4", QUICK)
    shop.world.advance(until=fourth.waits_at("production"))
    if fourth.decided() or not any(one.rule == "line" for one in fourth.row.because):
        raise ToldOtherwise(f"the fourth is {fourth.outcome.value}: {fourth.row.because}")


def two_are_out(shop: SimulatedService, shape: Shape = ROLLING) -> None:
    """A second version serves in production, and nothing is left of the first."""
    first_is_out(shop, shape)
    ends(let_in(shop, "v2", shape), RunStatus.SUCCEEDED, "v2")
    shop.world.advance(until=lambda: not _is_present(shop, "v1"))


def _another_way_back(shop: SimulatedService) -> None:
    """While the third goes back to the second, somebody says that it should be the first."""
    third = let_in(shop, "v3", ROLLING)
    shop.world.advance(until=third.rollout_is(RolloutState.MOVING, step=1))
    shop.roll_back(by=ANNA)
    shop.roll_back(by=BEN, to=shop.world.version("v1"))
    ends(third, RunStatus.ROLLED_BACK, "v1")


def _removed(shop: SimulatedService) -> None:
    second = let_in(shop, "v2", CANARY)
    shop.world.advance(until=lambda: _is_present(shop, "v2"))
    shop.remove()
    ends(second, RunStatus.CANCELLED, None)


def _approved_before(shop: SimulatedService) -> None:
    """The third is approved while the second rolls out, so the fourth does not supersede it."""
    second = shop.push("v2", ASKING)
    shop.world.advance(until=second.waits_at("production"))
    shop.approve(second, ANNA)
    shop.world.advance(until=second.rollout_is(RolloutState.ASKING))
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third, ANNA)
    fourth = shop.push("v4", QUICK)
    shop.world.advance(until=fourth.waits_at("production"))
    shop.approve(second, BEN)
    ends(third, RunStatus.SUCCEEDED, "v3")
    if fourth.outcome is not RunStatus.WAITING:
        raise ToldOtherwise(f"the fourth is {fourth.outcome.value}")


def _expired(shop: SimulatedService) -> None:
    """The approval is for twenty seconds, and the placement is busy for longer."""
    second = shop.push("v2", ASKING)
    shop.world.advance(until=second.waits_at("production"))
    shop.approve(second, ANNA)
    shop.world.advance(until=second.rollout_is(RolloutState.ASKING))
    third = shop.push("v3", replace(QUICK, approvals=1, expires="20s"))
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third, ANNA)
    shop.world.advance(timedelta(seconds=30))
    shop.approve(second, BEN)
    ends(second, RunStatus.SUCCEEDED, "v2")
    shop.world.advance(timedelta(seconds=60))
    if third.outcome is not RunStatus.WAITING:
        raise ToldOtherwise(f"the third is {third.outcome.value}")
    shop.approve(third, ANNA)
    ends(third, RunStatus.SUCCEEDED, "v3")


def _held(shop: SimulatedService) -> None:
    run = shop.push("v2", QUICK)
    shop.hold(run)
    shop.world.advance(until=run.waits_at("production"))
    shop.approve(run)
    shop.world.advance(timedelta(seconds=60))
    if run.outcome is not RunStatus.WAITING:
        raise ToldOtherwise(f"a held run is {run.outcome.value}")
    shop.let_go(run)
    ends(run, RunStatus.SUCCEEDED, "v2")


def _overtaken_while_held(shop: SimulatedService) -> None:
    """The second is approved and held; the third goes on, and the second comes too late."""
    second = shop.push("v2", QUICK)
    shop.hold(second)
    shop.world.advance(until=second.waits_at("production"))
    shop.approve(second, ANNA)
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third, ANNA)
    ends(third, RunStatus.SUCCEEDED, "v3")
    ends(second, RunStatus.SUPERSEDED, "v3")


def _nobody_approves(shop: SimulatedService) -> None:
    """That only the newest is left waiting is a rule of every ending."""
    second = shop.push("v2", QUICK)
    shop.world.advance(until=second.waits_at("production"))
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.world.advance(timedelta(seconds=60))


def _breach_upstream(shop: SimulatedService) -> None:
    """It passed staging and waits for production when it begins to do harm in staging."""
    run = shop.push("v2", WATCHED)
    shop.world.advance(until=run.waits_at("production"))
    shop.world.version("v2").fails(0.3)
    ends(run, RunStatus.ROLLED_BACK, "v1")
    if shop.serving("staging") != "v1":
        raise ToldOtherwise(f"{shop.serving('staging')} serves in staging")


def _rolled_back_while_paused(shop: SimulatedService) -> None:
    shop.pause()
    shop.roll_back()
    shop.world.advance(until=lambda: shop.serving() == "v1")


def must_be_quarantined(shop: SimulatedService, *, quarantined: bool) -> None:
    """Raise ToldOtherwise where the second version is quarantined in production, or is not, unlike it should."""
    second = _deployment(shop, "v2")
    told = shop.count(EventKind.DEPLOYMENT_QUARANTINED)
    if second is None or second.is_quarantined != quarantined or told != quarantined:
        raise ToldOtherwise(f"v2 is {'' if told else 'not '}quarantined: {second}")


def _is_present(shop: SimulatedService, version: str) -> bool:
    """Whether production may hold something of the version."""
    found = _deployment(shop, version)
    return found is not None and found.present


def _deployment(shop: SimulatedService, version: str) -> Deployment | None:
    """What the version is in production, None where it was never there."""
    placement, commit = shop.placement(), shop.world.version(version).commit
    if placement is None:
        return None
    with shop.world.database.reading() as connection:
        found = queries.deployments_of_placement(connection, placement.id)
    return next((one for one in found if one.commit == commit), None)


STORIES = (
    Story("a first release", _first_release, _nothing),
    Story("a good canary with approvals", _good_canary, first_is_out),
    Story("a bad canary", _bad_canary, first_is_out),
    Story("a breach while people are asked", _breach_while_asking, first_is_out),
    Story("a newer release arrives during a rollout", _newer_arrives, first_is_out),
    Story("a newer release arrives at the gate", _superseded, first_is_out),
    Story("a person rolls back a rolling rollout", _rolled_back_by_a_person, _first_is_rolled_out),
    Story("a cancel while it is being installed", _cancelled_while_installing, first_is_out),
    Story("a deployment that never becomes healthy", _never_healthy, first_is_out),
    Story("two bad releases in a row", _line_stopped, _first_good_second_bad),
    Story("another way back is named on the way", _another_way_back, two_are_out),
    Story("a service is removed during a rollout", _removed, first_is_out),
    Story("an approved release waits while a newer one comes", _approved_before, first_is_out),
    Story("an approval expires while it waits", _expired, first_is_out),
    Story("a run is held and let go", _held, first_is_out),
    Story("a held release is overtaken", _overtaken_while_held, first_is_out),
    Story("two releases wait and nobody approves", _nobody_approves, first_is_out),
    Story("a breach in staging while production waits", _breach_upstream, _first_is_watched),
    Story("a rollback while the service is paused", _rolled_back_while_paused, two_are_out),
)
