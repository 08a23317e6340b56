"""What every router must do, written once and run against each adapter.

A test class inherits `RouterContract` and gives a fixture `router`, which makes routers that share one memory.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.routers.services import SHOP, free_port, instances, route, routing

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import Generation, PlacementId
from tidegate.routers.router import Router, RouterRefused

MakeRouter = Callable[[], Router]


class RouterContract:
    """Generations, confirmation and what is remembered."""

    def test_it_knows_nothing_of_a_placement_that_was_never_set(self, router: MakeRouter) -> None:
        assert router().shares(SHOP) is None

    def test_a_split_is_confirmed_and_known_to_every_router_of_the_installation(self, router: MakeRouter) -> None:
        with instances("v1") as [v1]:
            split = routing(free_port(), route("v1", 100, v1))
            observed = router().set_shares(split, Generation(3))
            assert observed is not None and observed.generation == 3
            assert router().shares(SHOP) == split

    def test_the_same_split_again_is_no_change_and_keeps_the_time_of_its_confirmation(self, router: MakeRouter) -> None:
        with instances("v1") as [v1]:
            split = routing(free_port(), route("v1", 100, v1))
            assert router().set_shares(split, Generation(3)) == router().set_shares(split, Generation(3))

    def test_a_late_performer_is_refused_and_changes_nothing(self, router: MakeRouter) -> None:
        with instances("v1", "v2") as [v1, v2]:
            port = free_port()
            new = routing(port, route("v2", 100, v2))
            router().set_shares(new, Generation(4))
            with pytest.raises(StaleGeneration, match="generation 4 of shop/production, so 3 is late"):
                router().set_shares(routing(port, route("v1", 100, v1)), Generation(3))
            assert router().shares(SHOP) == new

    def test_one_generation_cannot_mean_two_splits(self, router: MakeRouter) -> None:
        with instances("v1", "v2") as [v1, v2]:
            port = free_port()
            first = routing(port, route("v1", 100, v1))
            router().set_shares(first, Generation(4))
            with pytest.raises(RouterRefused, match="asked for another split before"):
                router().set_shares(routing(port, route("v2", 100, v2)), Generation(4))
            assert router().shares(SHOP) == first

    def test_placements_have_generations_of_their_own(self, router: MakeRouter) -> None:
        with instances("v1") as [v1]:
            router().set_shares(routing(free_port(), route("v1", 100, v1)), Generation(9))
            other = routing(free_port(), route("w1", 100, v1), placement=PlacementId("pay/production"))
            assert router().set_shares(other, Generation(1)) is not None

    def test_a_deployment_without_traffic_that_never_had_any_is_drained(self, router: MakeRouter) -> None:
        with instances("v1") as [v1]:
            router().set_shares(routing(free_port(), route("v1", 100, v1)), Generation(1))
            assert router().drained(SHOP, route("v0", 0).deployment, [v1.endpoint])
