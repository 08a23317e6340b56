"""What Envoy counts for deployments, with real requests."""

from __future__ import annotations

import pytest
from tests.integration.routers.envoy_bench import EnvoyBench, until
from tests.integration.routers.services import (
    SHOP,
    free_port,
    get_many,
    in_background,
    instances,
    marks,
    route,
    routing,
    steady_load,
)

from tidegate.metrics.envoy import EnvoyMetrics
from tidegate.metrics.source import SourceFailed
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, Generation
from tidegate.model.installation import Endpoint, Route
from tidegate.model.share import WHOLE

V1, V2 = DeploymentId("v1"), DeploymentId("v2")


@pytest.fixture
def metrics(envoy: EnvoyBench) -> EnvoyMetrics:
    return EnvoyMetrics(envoy.admin)


@pytest.fixture
def port() -> int:
    return free_port()


def latency_of(metrics: EnvoyMetrics, deployment: DeploymentId, count: int) -> Counters:
    """The counters once the latency of `count` requests is in."""
    until(lambda: sum(metrics.counters(SHOP, [deployment])[deployment].latency) >= count)
    return metrics.counters(SHOP, [deployment])[deployment]


def test_the_counts_of_two_deployments_add_up_to_what_was_sent(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1", "v2") as [v1, v2]:
        envoy.router.set_shares(routing(port, route("v1", 70, v1), route("v2", 30, v2)), Generation(1))
        answers = get_many(port, 200) + get_many(port, 30, "/fails")
        found = metrics.counters(SHOP, [V1, V2])
    assert {name: one.requests for name, one in found.items()} == marks(answers)
    assert sum(one.requests for one in found.values()) == 230
    assert sum(one.errors for one in found.values()) == 30
    assert sum(one.routed for one in found.values()) == 230


def test_a_request_that_reached_no_instance_is_one_error(envoy: EnvoyBench, metrics: EnvoyMetrics, port: int) -> None:
    nobody = Endpoint("127.0.0.1", free_port())
    envoy.router.set_shares(routing(port, Route(V1, WHOLE, (nobody,))), Generation(1))
    assert {one.status for one in get_many(port, 10)} == {503}
    found = metrics.counters(SHOP, [V1])[V1]
    assert (found.requests, found.errors) == (10, 10)


def test_a_request_that_reached_the_second_instance_is_no_error(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1") as [v1]:
        nobody = Endpoint("127.0.0.1", free_port())
        envoy.router.set_shares(routing(port, Route(V1, WHOLE, (nobody, v1.endpoint))), Generation(1))
        get_many(port, 20)
    found = metrics.counters(SHOP, [V1])[V1]
    assert (found.requests, found.errors) == (20, 0)


def test_a_request_under_way_is_routed_but_not_yet_counted(envoy: EnvoyBench, metrics: EnvoyMetrics, port: int) -> None:
    with instances("v1") as [v1]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
        with in_background(port, "/held") as answer:
            assert v1.is_holding()
            found = metrics.counters(SHOP, [V1])[V1]
            assert (found.routed, found.requests) == (1, 0)
            v1.release.set()
            answer.result(10)
        assert metrics.counters(SHOP, [V1])[V1].requests == 1


def test_latency_is_counted_in_milliseconds_and_falls_into_the_right_bucket(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1") as [v1]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
        get_many(port, 20)
        quick = latency_of(metrics, V1, 20)
        with in_background(port, "/for/0.3") as answer:
            assert answer.result(10).status == 200
        both = latency_of(metrics, V1, 21)
    assert len(quick.latency) == len(quick.edges) + 1
    assert list(quick.edges) == sorted(quick.edges) and 20 <= len(quick.edges) <= 40
    assert (quick.edges[0], quick.edges[-1]) == (0.5, 60_000)
    added = both.since(quick)
    assert added is not None and sum(added.latency) == 1
    bucket = added.latency.index(1)
    assert 250 <= added.edges[bucket - 1] < added.edges[bucket] <= 500


def test_after_a_confirmed_change_nothing_more_is_routed_to_the_old_deployment(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1", "v2") as [v1, v2]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
        with steady_load(port) as load:
            until(lambda: len(load.answers) > 50)
            envoy.router.set_shares(routing(port, route("v1", 0, v1), route("v2", 100, v2)), Generation(2))
            at_confirmation = metrics.counters(SHOP, [V1])[V1].routed
            so_far = len(load.answers)
            until(lambda: len(load.answers) > so_far + 100)
            assert metrics.counters(SHOP, [V1])[V1].routed == at_confirmation


def test_changing_instances_and_shares_does_not_reset_counters(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("a", "b") as [a, b]:
        for generation, serving in enumerate([(a,), (a, b), (b,)], start=1):
            envoy.router.set_shares(routing(port, route("v1", 100, *serving)), Generation(generation))
            get_many(port, 10)
        assert metrics.counters(SHOP, [V1])[V1].requests == 30


def test_a_deployment_without_requests_has_zeros_and_an_unknown_one_nothing(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1") as [v1]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
        found = metrics.counters(SHOP, [V1, V2])
        assert found.keys() == {V1}
        assert (found[V1].requests, found[V1].errors, found[V1].routed) == (0, 0, 0)
        get_many(port, 5)
        added = latency_of(metrics, V1, 5).since(found[V1])
        assert added is not None and (added.requests, sum(added.latency)) == (5, 5)
    assert metrics.counters(SHOP, []) == {}


def test_a_restarted_envoy_counts_from_zero_which_is_no_data(
    envoy: EnvoyBench, metrics: EnvoyMetrics, port: int
) -> None:
    with instances("v1") as [v1]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
        get_many(port, 10)
        before = metrics.counters(SHOP, [V1])[V1]
        envoy.kill()
        with pytest.raises(SourceFailed, match="figures of shop/production could not be read: Envoy does not answer"):
            metrics.counters(SHOP, [V1])
        envoy.start()
        get_many(port, 3)
        assert metrics.counters(SHOP, [V1])[V1].since(before) is None
