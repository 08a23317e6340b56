"""How incidents begin and end as stories: each is told again with a crash of the server at each point."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.event import EventKind
from tidegate.model.run import RunStatus
from tidegate.sim.shop import ANNA, BEN, SimulatedService
from tidegate.sim.stories import CANARY, QUICK, ends, first_is_out, let_in
from tidegate.sim.telling import Story, ToldOtherwise
from tidegate.store import queries


def _recovers(shop: SimulatedService) -> None:
    """The old release serves again, and has served well for long enough."""
    shop.world.version("v2").fails(0.2)
    ends(let_in(shop, "v2", CANARY), RunStatus.ROLLED_BACK, "v1")
    shop.world.advance(until=lambda: bool(shop.count(EventKind.INCIDENT_CLOSED)))


def _is_fixed(shop: SimulatedService) -> None:
    """The next release comes while the incident of the one before is open, and ends it."""
    shop.world.version("v2").never_healthy = True
    ends(let_in(shop, "v2", QUICK), RunStatus.ROLLED_BACK, "v1")
    shop.world.advance(timedelta(minutes=2))
    ends(let_in(shop, "v3", QUICK), RunStatus.SUCCEEDED, "v3")
    if shop.count(EventKind.INCIDENT_CLOSED):
        raise ToldOtherwise("the incident was over before anything had served well for long enough")
    shop.world.advance(until=lambda: bool(shop.count(EventKind.INCIDENT_CLOSED)))


def _goes_on(shop: SimulatedService) -> None:
    """An instance dies while all seems well: the five minutes begin anew."""
    shop.world.version("v2").never_healthy = True
    ends(let_in(shop, "v2", QUICK), RunStatus.ROLLED_BACK, "v1")
    shop.world.advance(timedelta(minutes=3))
    shop.world.target.lose_an_instance()
    shop.world.advance(timedelta(minutes=4))
    if shop.count(EventKind.INCIDENT_CLOSED):
        raise ToldOtherwise("the incident was over while what serves was not well")
    shop.world.advance(until=lambda: bool(shop.count(EventKind.INCIDENT_CLOSED)))


def _serves_again(shop: SimulatedService) -> None:
    """A person goes back from a release, and to it again: nothing says that it does no harm any more."""
    ends(let_in(shop, "v2", QUICK), RunStatus.SUCCEEDED, "v2")
    for person, to in ((ANNA, "v1"), (BEN, "v2")):
        shop.roll_back(by=person, to=shop.world.version(to))
        shop.world.advance(until=lambda to=to: shop.serving() == to and not _moves(shop))  # type: ignore[misc]
    shop.world.advance(timedelta(minutes=8))
    if shop.count(EventKind.INCIDENT_CLOSED):
        raise ToldOtherwise("the incident was over though what a person blamed serves")


def _moves(shop: SimulatedService) -> bool:
    with shop.world.database.reading() as connection:
        return any(one.state.owns_placement for one in queries.active_rollouts(connection))


INCIDENT_STORIES = (
    Story("an incident ends when the old release has served well", _recovers, first_is_out),
    Story("an incident ends when the next release has served well", _is_fixed, first_is_out),
    Story("an instance dies before an incident is over", _goes_on, first_is_out),
    Story("what did harm serves again", _serves_again, first_is_out),
)
