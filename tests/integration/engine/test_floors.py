"""A placement's floor in the rows: set by a step, asked about by a rollback and a deployment, lifted by a person."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, Shop

from tidegate.engine.refusal import Refusal
from tidegate.model.lease import StepOutcome
from tidegate.model.placement import Placement
from tidegate.model.rollout import RolloutState
from tidegate.store import incident_queries, queries

DROPS = PLAIN + "    steps: [{name: drop old columns, run: ./drop.sh, irreversible: true}]\n"


def placement(shop: Shop) -> Placement:
    with shop.database.reading() as connection:
        found = queries.placement(connection, PRODUCTION)
    assert found is not None
    return found


def dropped(shop: Shop) -> str:
    """A first release, and a second that did what cannot be undone; the run of the first."""
    first = shop.deployed(PLAIN)
    shop.pass_time(timedelta(minutes=1))
    second = shop.pushed(DROPS)
    shop.built()
    assert placement(shop).floor is None
    shop.approved(second)
    assert shop.run(second).status == "running", "the last step is still to be performed"
    shop.built()
    assert shop.run(second).status == "succeeded"
    floor = placement(shop).floor
    assert floor is not None and (floor.label, floor.step) == (shop.label(second), "drop old columns")
    return first


def incidents(shop: Shop) -> list[bool]:
    with shop.database.reading() as connection:
        return [one.is_open for one in incident_queries.newest_at(connection, PRODUCTION, 5)]


def test_a_rollback_below_the_floor_moves_nothing_and_opens_an_incident(shop: Shop) -> None:
    dropped(shop)
    serving = shop.serving()
    rollout = shop.placements.roll_back(SHOP, "production", OWNER)
    shop.settle()
    with shop.database.reading() as connection:
        ended = queries.rollout(connection, rollout.id)
    assert ended is not None and ended.held_at_floor
    assert ended.state is not RolloutState.ROLLED_BACK
    assert shop.serving() == serving
    assert incidents(shop) == [True]
    assert any("not back (rolled back by owner)" in one for one in shop.said())


def test_what_is_older_waits_at_the_gate_until_the_floor_is_lifted(shop: Shop) -> None:
    first = dropped(shop)
    run = shop.placements.deploy(SHOP, "production", shop.label(first), OWNER)
    shop.settle()
    shop.approved(run.id)
    assert [one.rule for one in shop.run(run.id).because] == ["floor"]
    shop.placements.lift_floor(SHOP, "production", OWNER, "restored from the backup")
    shop.settle()
    assert shop.serving() == shop.label(first)
    assert "owner lifts the floor of shop/production, set by drop old columns: restored from the backup" in shop.said()
    shop.refuses(lambda: shop.placements.lift_floor(SHOP, "production", OWNER, "again"), Refusal.CONFLICT)


def test_a_newer_release_goes_on_from_the_floor_and_comes_back_to_it(shop: Shop) -> None:
    dropped(shop)
    at_floor = shop.serving()
    shop.deployed(PLAIN)
    assert shop.serving() != at_floor
    shop.placements.roll_back(SHOP, "production", OWNER)
    shop.settle_until(lambda: shop.serving() == at_floor)


def test_a_step_that_fails_leaves_its_release_its_floor_and_an_incident(shop: Shop) -> None:
    shop.deployed(PLAIN)
    shop.pass_time(timedelta(minutes=1))
    second = shop.pushed(DROPS)
    shop.built()
    shop.approved(second)
    (lease,) = shop.leased()
    shop.reports(lease, StepOutcome.FAILED, "exit 1")
    assert (shop.run(second).status, shop.serving()) == ("failed", shop.label(second))
    assert incidents(shop) == [True]
    assert placement(shop).floor is not None
