"""What Envoy is told, for any routing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.share import NONE, WHOLE_PARTS, Share
from tidegate.routers import envoy_resources
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import RoutingRecord, begin, set_of

SHOP = PlacementId("shop/production")
FOLDER = Path("/data/router/routes.json")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

endpoints = st.lists(
    st.builds(Endpoint, st.just("127.0.0.1"), st.integers(20_000, 29_999)), min_size=1, max_size=4, unique=True
).map(tuple)


@st.composite
def routings(draw: st.DrawFn) -> Routing:
    names = draw(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), max_size=5, unique=True))
    count = max(0, len(names) - 1)
    cuts = sorted(draw(st.lists(st.integers(0, WHOLE_PARTS), min_size=count, max_size=count)))
    split = [after - before for before, after in pairwise([0, *cuts, WHOLE_PARTS])]
    parts = draw(st.sampled_from([split, split, [0] * len(names)]))
    return Routing(
        SHOP,
        draw(st.integers(1, 65_535)),
        tuple(
            Route(DeploymentId(name), Share(share), draw(endpoints)) for name, share in zip(names, parts, strict=False)
        ),
    )


def resources(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["resources"]
    return found


def weights(record: RoutingRecord) -> dict[str, int] | None:
    """The weight of each cluster in the routes' document, None where it sends requests nowhere."""
    [document] = resources(envoy_resources.routes([record]))
    [host] = document["virtual_hosts"]
    [entry] = host["routes"]
    if "route" not in entry:
        assert entry["direct_response"]["status"] == 503
        return None
    return {one["name"]: one["weight"] for one in entry["route"]["weighted_clusters"]["clusters"]}


def cluster_endpoints(record: RoutingRecord) -> dict[str, list[Endpoint]]:
    """The endpoints of each cluster in the clusters' document."""
    found = {}
    for cluster in resources(envoy_resources.clusters([record])):
        [place] = cluster["load_assignment"]["endpoints"]
        addresses = [one["endpoint"]["address"]["socket_address"] for one in place["lb_endpoints"]]
        found[cluster["name"]] = [Endpoint(one["address"], one["port_value"]) for one in addresses]
    return found


@given(routings())
def test_weights_are_the_shares_and_never_all_zero(routing: Routing) -> None:
    record = settled(begin(None, routing, Generation(7)))
    shares = {set_of(route).name: route.share.parts for route in routing.routes if route.share != NONE}
    assert weights(record) == (shares or None)
    assert sum((weights(record) or {"": WHOLE_PARTS}).values()) == WHOLE_PARTS


@given(routings(), routings())
def test_every_cluster_that_gets_requests_is_there_before_and_as_long_as_it_does(old: Routing, new: Routing) -> None:
    record = begin(settled(begin(None, old, Generation(1))), new, Generation(2))
    for _ in range(3):
        assert (weights(record) or {}).keys() <= cluster_endpoints(record).keys()
        record = record.advanced(NOW)
    assert {one.deployment for one in (*record.sets, *record.left)} == {route.deployment for route in new.routes}


@given(routings(), routings(), routings())
def test_a_move_that_overtakes_another_keeps_what_either_may_be_sending_to(
    old: Routing, new: Routing, newest: Routing
) -> None:
    unconfirmed = begin(settled(begin(None, old, Generation(1))), new, Generation(2)).advanced(NOW)
    record = begin(unconfirmed, newest, Generation(3))
    for _ in range(2):
        assert {set_of(route).name for route in (*old.routes, *new.routes)} <= cluster_endpoints(record).keys()
        record = record.advanced(NOW)


@given(routings())
def test_a_cluster_has_exactly_the_endpoints_of_its_route(routing: Routing) -> None:
    found = cluster_endpoints(begin(None, routing, Generation(1)))
    assert found == {set_of(route).name: list(route.endpoints) for route in routing.routes}


@given(st.lists(routings(), max_size=4))
def test_equal_records_are_rendered_alike(splits: list[Routing]) -> None:
    records = [
        settled(begin(None, replace(split, placement=PlacementId(f"s{number}/production")), Generation(number + 1)))
        for number, split in enumerate(splits)
    ]
    again = [RoutingRecord.from_json(record.to_json()) for record in records]
    assert again == records
    assert rendered(again) == rendered(records)


@given(routings(), st.integers(1, 1000))
def test_the_version_of_the_routes_holds_the_generation_of_each_placement(routing: Routing, generation: int) -> None:
    other = replace(routing, placement=PlacementId("pay=2,x/staging"))
    records = [settled(begin(None, routing, Generation(generation))), settled(begin(None, other, Generation(3)))]
    version = json.loads(envoy_resources.routes(records))["version_info"]
    assert envoy_resources.generation_in(version, SHOP) == generation
    assert envoy_resources.generation_in(version, other.placement) == 3
    assert envoy_resources.generation_in(version, PlacementId("shop/staging")) is None


@given(routings())
def test_the_same_split_of_another_generation_is_another_document(routing: Routing) -> None:
    # Envoy skips, with its version, a document that says what the one before said
    one, other = (settled(begin(None, routing, Generation(generation))) for generation in (1, 2))
    assert resources(envoy_resources.routes([one])) != resources(envoy_resources.routes([other]))


def test_a_placement_that_never_served_has_neither_port_nor_route() -> None:
    record = begin(None, Routing(SHOP, 18_000, ()), Generation(1))
    assert resources(envoy_resources.listeners([record], FOLDER)) == []
    assert resources(envoy_resources.routes([record]))[0]["virtual_hosts"][0]["routes"] == []


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([Route(DeploymentId("v1"), Share.percent(100), ())], "v1 has no instance to get 100% of shop/production"),
        ([Route(DeploymentId("v1"), NONE, (Endpoint("db.example", 1),))], "db.example:1, which is not an IP address"),
        ([Route(DeploymentId("v1"), NONE, ())] * 2, "names v1 twice"),
    ],
)
def test_what_envoy_could_not_serve_is_refused_with_the_reason(routes: list[Route], message: str) -> None:
    with pytest.raises(RouterRefused, match=message):
        envoy_resources.check(Routing(SHOP, 18_000, tuple(routes)))


@pytest.mark.parametrize("port", [0, 65_536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(RouterRefused, match=f"cannot be served on port {port}"):
        envoy_resources.check(Routing(SHOP, port, ()))


def settled(record: RoutingRecord) -> RoutingRecord:
    return record.advanced(NOW).advanced(NOW)


def rendered(records: list[RoutingRecord]) -> list[str]:
    return [
        envoy_resources.listeners(records, FOLDER),
        envoy_resources.clusters(records),
        envoy_resources.routes(records),
    ]
