"""What Envoy is told, for any routing."""

from __future__ import annotations

import json
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
from tidegate.routers.routing_record import RoutingRecord, begin

SHOP = PlacementId("shop/production")
FOLDER = Path("/data/router")
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


def weights(routing: Routing) -> dict[str, int] | None:
    """The weights in the routes' document, None where it sends requests nowhere."""
    [document] = resources(envoy_resources.routes(routing, Generation(7)))
    [host] = document["virtual_hosts"]
    [entry] = host["routes"]
    if "route" not in entry:
        assert entry["direct_response"]["status"] == 503
        return None
    return {one["name"]: one["weight"] for one in entry["route"]["weighted_clusters"]["clusters"]}


@given(routings())
def test_weights_are_the_shares_and_never_all_zero(routing: Routing) -> None:
    shares = {route.deployment: route.share.parts for route in routing.routes if route.share != NONE}
    assert weights(routing) == (shares or None)
    assert sum((weights(routing) or {"": WHOLE_PARTS}).values()) == WHOLE_PARTS


@given(routings(), routings())
def test_every_deployment_that_gets_requests_is_there_before_and_as_long_as_it_does(old: Routing, new: Routing) -> None:
    record = _settled(begin(None, old, Generation(1)))
    record = begin(record, new, Generation(2))
    for _ in range(4):
        named = {one["name"] for one in resources(envoy_resources.clusters(record.active, FOLDER))}
        assert record.serving is not None
        assert {route.deployment for route in record.serving.routes} <= named
        record = record.advanced(NOW)
    assert record.active.keys() == {route.deployment for route in new.routes}


@given(routings(), routings())
def test_an_instance_gets_requests_while_a_serving_split_names_it(old: Routing, new: Routing) -> None:
    record = begin(_settled(begin(None, old, Generation(1))), new, Generation(2))
    for _ in range(4):
        for route in record.serving.routes if record.serving else ():
            found = _endpoint_health(record, route.deployment)
            assert {found[endpoint] for endpoint in route.endpoints} == {"HEALTHY"}
        record = record.advanced(NOW)


@given(routings(), routings())
def test_an_instance_that_left_is_still_looked_at_without_getting_requests(old: Routing, new: Routing) -> None:
    record = _settled(begin(_settled(begin(None, old, Generation(1))), new, Generation(2)))
    before = {route.deployment: route.endpoints for route in old.routes}
    for route in new.routes:
        found = _endpoint_health(record, route.deployment)
        left = set(before.get(route.deployment, ())) - set(route.endpoints)
        assert {endpoint for endpoint, health in found.items() if health == "DRAINING"} == left


@given(routings())
def test_equal_records_are_rendered_alike(routing: Routing) -> None:
    record = _settled(begin(None, routing, Generation(1)))
    again = RoutingRecord.from_json(record.to_json())
    assert again == record
    assert _rendered(again) == _rendered(record)


@given(routings(), st.integers(1, 1000))
def test_the_version_of_the_routes_is_the_generation(routing: Routing, generation: int) -> None:
    text = envoy_resources.routes(routing, Generation(generation))
    assert json.loads(text)["version_info"] == str(generation)
    # Envoy skips, with its version, a document that says what the one before said
    assert resources(text) != resources(envoy_resources.routes(routing, Generation(generation + 1)))


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


def _settled(record: RoutingRecord) -> RoutingRecord:
    for _ in range(3):
        record = record.advanced(NOW)
    return record


def _endpoint_health(record: RoutingRecord, deployment: DeploymentId) -> dict[Endpoint, str]:
    [document] = resources(envoy_resources.assignment(deployment, record.active[deployment], record.known[deployment]))
    found = [one for place in document["endpoints"] for one in place["lb_endpoints"]]
    addresses = [one["endpoint"]["address"]["socket_address"] for one in found]
    return {
        Endpoint(address["address"], address["port_value"]): one["health_status"]
        for address, one in zip(addresses, found, strict=True)
    }


def _rendered(record: RoutingRecord) -> list[str]:
    assert record.serving is not None
    return [
        envoy_resources.listeners([record], FOLDER),
        envoy_resources.clusters(record.active, FOLDER),
        envoy_resources.routes(record.serving, record.serving_generation),
    ]
