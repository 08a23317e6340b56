"""Envoy as a router: what users of a service notice of changes, which is nothing."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from tests.integration.routers.contract import MakeRouter, RouterContract
from tests.integration.routers.envoy_bench import EnvoyBench, until
from tests.integration.routers.services import (
    SHOP,
    Instance,
    free_port,
    free_ports,
    get,
    get_many,
    in_background,
    instances,
    marks,
    route,
    routing,
    steady_load,
    websocket_echo,
)
from websockets.sync.client import connect

from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Route
from tidegate.model.share import NONE, WHOLE, Share
from tidegate.routers.envoy_resources import MARK
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import begin
from tidegate.routers.routing_records import RoutingRecords

V1, V2 = DeploymentId("v1"), DeploymentId("v2")


class TestEnvoyKeepsTheContract(RouterContract):
    @pytest.fixture
    def router(self, envoy: EnvoyBench) -> MakeRouter:
        return envoy.another_router


@pytest.fixture
def port() -> int:
    return free_port()


class TestSplit:
    def test_requests_are_split_as_asked(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            assert envoy.router.set_shares(routing(port, route("v1", 75, v1), route("v2", 25, v2)), Generation(1))
            answers = get_many(port, 600)
        found = marks(answers)
        assert set(found) == {"v1", "v2"}
        # 150 expected, standard deviation 10.6
        assert 95 < found["v2"] < 205

    def test_a_confirmed_split_holds_for_the_very_next_request(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            for generation in range(1, 30, 2):
                envoy.router.set_shares(routing(port, route("v1", 100, v1), route("v2", 0, v2)), Generation(generation))
                assert marks(get_many(port, 5)) == {"v1": 5}
                envoy.router.set_shares(
                    routing(port, route("v1", 0, v1), route("v2", 100, v2)), Generation(generation + 1)
                )
                assert marks(get_many(port, 5)) == {"v2": 5}

    def test_a_deployment_with_no_share_is_ready_but_gets_nothing(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1), route("v2", 0, v2)), Generation(1))
            assert marks(get_many(port, 50)) == {"v1": 50}
            [[host]] = envoy.admin.hosts([V2]).values()
            assert host.endpoint == v2.endpoint

    def test_where_nothing_is_deployed_every_request_is_told_so(self, envoy: EnvoyBench, port: int) -> None:
        assert envoy.router.set_shares(routing(port), Generation(1))
        answer = get(port)
        assert (answer.status, answer.mark, answer.body) == (503, None, "nothing is deployed here\n")

    def test_a_service_can_be_emptied_and_filled_again(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            full = routing(port, route("v1", 100, v1))
            for generation, split, status in [
                (1, full, 200),
                (2, routing(port, route("v1", 0, v1)), 503),
                (3, full, 200),
            ]:
                assert envoy.router.set_shares(split, Generation(generation))
                assert get(port).status == status


class TestChangesUnderLoad:
    def test_no_request_fails_and_no_connection_is_closed(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            with steady_load(port) as load:
                for step in range(40):
                    percent = step * 7 % 101
                    split = routing(port, route("v1", 100 - percent, v1), route("v2", percent, v2))
                    assert envoy.router.set_shares(split, Generation(step + 2))
        assert not load.failures
        assert {one.status for one in load.answers} == {200}
        assert load.connections == load.clients
        assert all(one.body == one.mark for one in load.answers)

    def test_deployments_come_and_go_one_after_another(self, envoy: EnvoyBench, port: int) -> None:
        with instances("d0") as [first], steady_load(port, until_told=True) as load:
            envoy.router.set_shares(routing(port, route("d0", 100, first)), Generation(1))
            load.begin()
            old, name, generation = first, "d0", 1
            replaced: list[Instance] = []
            for number in range(1, 9):
                new, new_name = Instance(f"d{number}"), f"d{number}"
                replaced.append(new)
                for split in (
                    routing(port, route(name, 50, old), route(new_name, 50, new)),
                    routing(port, route(name, 0, old), route(new_name, 100, new)),
                ):
                    generation += 1
                    assert envoy.router.set_shares(split, Generation(generation))
                until(partial(envoy.router.drained, SHOP, DeploymentId(name), [old.endpoint]))
                old.stop()
                generation += 1
                assert envoy.router.set_shares(routing(port, route(new_name, 100, new)), Generation(generation))
                old, name = new, new_name
        replaced[-1].stop()
        assert not load.failures
        assert {one.status for one in load.answers} == {200}
        [left_over] = envoy.admin.hosts([DeploymentId(f"d{number}") for number in range(9)])
        assert left_over.startswith("d8~")

    def test_instances_are_replaced_one_by_one(self, envoy: EnvoyBench, port: int) -> None:
        with instances("a", "b") as [a, b]:
            running = [a, b]
            envoy.router.set_shares(routing(port, route("v1", 100, *running)), Generation(1))
            with steady_load(port) as load:
                for generation in range(2, 14, 2):
                    new = Instance(f"c{generation}")
                    grown = routing(port, route("v1", 100, *running, new))
                    assert envoy.router.set_shares(grown, Generation(generation))
                    gone, running = running[0], [*running[1:], new]
                    assert envoy.router.set_shares(
                        routing(port, route("v1", 100, *running)), Generation(generation + 1)
                    )
                    until(partial(envoy.router.drained, SHOP, V1, [gone.endpoint]))
                    gone.stop()
        for one in running:
            one.stop()
        assert not load.failures
        assert {one.status for one in load.answers} == {200}
        assert {"c12"} < {one.body for one in load.answers}
        # the set that was left last is forgotten with the next move
        assert len(envoy.admin.hosts([V1])) == 2

    def test_a_long_request_ends_where_it_began(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            with in_background(port, "/for/2") as answer:
                assert v1.is_holding()
                envoy.router.set_shares(routing(port, route("v1", 0, v1), route("v2", 100, v2)), Generation(2))
                envoy.router.set_shares(routing(port, route("v2", 100, v2)), Generation(3))
                assert (answer.result(10).status, answer.result().body) == (200, "v1")

    def test_a_websocket_goes_on_through_shares_and_replaced_instances(self, envoy: EnvoyBench, port: int) -> None:
        with websocket_echo("old") as old, websocket_echo("new") as new:

            def part(deployment: DeploymentId, share: Share, *endpoints: Endpoint) -> Route:
                return Route(deployment, share, endpoints)

            half = Share.percent(50)
            envoy.router.set_shares(routing(port, part(V1, WHOLE, old)), Generation(1))
            with connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as client:
                for generation, routes in enumerate(
                    [
                        (part(V1, half, old), part(V2, half, new)),
                        (part(V1, NONE, old), part(V2, WHOLE, new)),
                        (part(V1, NONE), part(V2, WHOLE, new)),
                        (part(V2, WHOLE, new),),
                    ],
                    start=2,
                ):
                    assert envoy.router.set_shares(routing(port, *routes), Generation(generation))
                    client.send(str(generation))
                    assert client.recv(timeout=5) == f"old '{generation}'"
            with connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as client:
                client.send("hello")
                assert client.recv(timeout=5) == "new 'hello'"


class TestDraining:
    def test_a_deployment_is_drained_only_when_its_last_request_has_ended(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            with in_background(port, "/held") as answer:
                assert v1.is_holding()
                envoy.router.set_shares(routing(port, route("v1", 0, v1), route("v2", 100, v2)), Generation(2))
                assert not envoy.router.drained(SHOP, V1, [v1.endpoint])
                v1.release.set()
                assert answer.result(10).status == 200
                until(partial(envoy.router.drained, SHOP, V1, [v1.endpoint]))

    def test_an_instance_that_left_is_drained_only_when_its_last_request_has_ended(
        self, envoy: EnvoyBench, port: int
    ) -> None:
        with instances("a", "b") as [a, b]:
            envoy.router.set_shares(routing(port, route("v1", 100, a)), Generation(1))
            with in_background(port, "/held") as answer:
                assert a.is_holding()
                envoy.router.set_shares(routing(port, route("v1", 100, b)), Generation(2))
                envoy.router.set_shares(routing(port, route("v1", 100, b)), Generation(3))
                assert {one.body for one in get_many(port, 20)} == {"b"}
                assert not envoy.router.drained(SHOP, V1, [a.endpoint])
                a.release.set()
                assert answer.result(10).body == "a"
                until(partial(envoy.router.drained, SHOP, V1, [a.endpoint]))

    def test_what_still_gets_requests_is_never_drained(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            assert not envoy.router.drained(SHOP, V1, [v1.endpoint])

    def test_an_open_websocket_is_not_drained(self, envoy: EnvoyBench, port: int) -> None:
        with websocket_echo("v1") as old, instances("v2") as [v2]:
            envoy.router.set_shares(routing(port, Route(V1, WHOLE, (old,))), Generation(1))
            with connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as client:
                client.send("hello")
                client.recv(timeout=5)
                envoy.router.set_shares(routing(port, Route(V1, NONE, (old,)), route("v2", 100, v2)), Generation(2))
                assert not envoy.router.drained(SHOP, V1, [old])
            until(partial(envoy.router.drained, SHOP, V1, [old]))


class TestWhatClientsAndServicesSee:
    def test_the_mark_names_the_deployment_even_if_the_service_says_otherwise(
        self, envoy: EnvoyBench, port: int
    ) -> None:
        with instances("v1") as [v1]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            assert get(port).mark == "v1"
            assert get(port, "/fails").mark == "v1"

    def test_an_error_of_envoy_itself_carries_the_mark_too(self, envoy: EnvoyBench, port: int) -> None:
        nobody = Endpoint("127.0.0.1", free_port())
        envoy.router.set_shares(routing(port, Route(V1, WHOLE, (nobody,))), Generation(1))
        answer = get(port)
        assert (answer.status, answer.mark) == (503, "v1")

    def test_envoy_adds_nothing_else_to_an_answer(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            found = get(port).headers
        assert set(found) == {"server", "date", "content-length", MARK}
        assert found["server"].strip() == "sample"

    def test_a_service_learns_who_asks_and_nothing_of_envoy(self, envoy: EnvoyBench, port: int) -> None:
        sent = {"X-Request-Id": "mine", "X-Forwarded-Proto": "https", "X-Envoy-Retry-On": "5xx"}
        with instances("v1") as [v1]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            plain = {name.lower(): value for name, value in json.loads(get(port, "/headers").body).items()}
            through = {name.lower(): value for name, value in json.loads(get(port, "/headers", sent).body).items()}
        assert set(plain) == {"host", "accept-encoding", "x-forwarded-for", "x-forwarded-proto"}
        assert plain["host"] == f"127.0.0.1:{port}"
        assert (through["x-request-id"], through["x-forwarded-proto"]) == ("mine", "https")
        assert not [name for name in through if name.startswith("x-envoy")]

    def test_an_error_that_the_service_answered_is_not_tried_again(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            assert {one.status for one in get_many(port, 20, "/fails")} == {503}
            assert get(port, "/fails", {"X-Envoy-Retry-On": "5xx", "X-Envoy-Max-Retries": "3"}).status == 503
            assert v1.asked == 21

    def test_an_instance_that_refuses_connections_costs_no_request(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            nobody = Endpoint("127.0.0.1", free_port())
            envoy.router.set_shares(routing(port, Route(V1, WHOLE, (nobody, v1.endpoint))), Generation(1))
            assert {one.status for one in get_many(port, 100)} == {200}


class TestRefusals:
    def test_a_port_that_is_in_use_is_named_and_served_once_it_is_free(self, envoy: EnvoyBench) -> None:
        with instances("v1") as [v1]:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
                split = routing(port, route("v1", 100, v1))
                with pytest.raises(RouterRefused, match=f"shop/production cannot be served on port {port}.*in use"):
                    envoy.router.set_shares(split, Generation(1))
            assert envoy.router.set_shares(split, Generation(1))
            assert get(port).body == "v1"

    def test_files_that_cannot_be_written_change_nothing_until_they_can(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            before = routing(port, route("v1", 100, v1))
            envoy.router.set_shares(before, Generation(1))
            (envoy.files / "clusters.json").unlink()
            (envoy.files / "clusters.json").mkdir()
            with pytest.raises(OSError, match=r"clusters\.json"):
                envoy.router.set_shares(routing(port, route("v2", 100, v2)), Generation(2))
            (envoy.files / "clusters.json").rmdir()
            assert marks(get_many(port, 20)) == {"v1": 20}
            assert envoy.router.set_shares(routing(port, route("v2", 100, v2)), Generation(2))
            assert marks(get_many(port, 20)) == {"v2": 20}

    def test_a_share_for_a_deployment_without_instances_changes_nothing(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1") as [v1]:
            before = routing(port, route("v1", 100, v1))
            envoy.router.set_shares(before, Generation(1))
            with pytest.raises(RouterRefused, match="v2 has no instance to get 10%"):
                envoy.router.set_shares(routing(port, route("v1", 90, v1), route("v2", 10)), Generation(2))
            assert envoy.router.shares(SHOP) == before
            assert marks(get_many(port, 20)) == {"v1": 20}


class TestRestarts:
    def test_envoy_killed_and_started_again_serves_the_same(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            split = routing(port, route("v1", 50, v1), route("v2", 50, v2))
            confirmed = envoy.router.set_shares(split, Generation(7))
            envoy.kill()
            envoy.start()
            assert marks(get_many(port, 60)).keys() == {"v1", "v2"}
            assert envoy.router.set_shares(split, Generation(7)) == confirmed

    def test_a_split_asked_for_while_envoy_is_away_is_made_when_it_is_back(self, envoy: EnvoyBench, port: int) -> None:
        with instances("v1", "v2") as [v1, v2]:
            before = routing(port, route("v1", 100, v1), route("v2", 0, v2))
            after = routing(port, route("v1", 0, v1), route("v2", 100, v2))
            envoy.router.set_shares(before, Generation(1))
            envoy.kill()
            with pytest.raises(OSError, match=r"Envoy does not answer at .*; is it running"):
                envoy.router.set_shares(after, Generation(2))
            assert envoy.router.shares(SHOP) == before
            envoy.start()
            assert marks(get_many(port, 10)) == {"v1": 10}
            assert envoy.router.set_shares(after, Generation(2))
            assert marks(get_many(port, 10)) == {"v2": 10}

    def test_an_envoy_that_hangs_is_given_up_in_time_and_takes_over_when_it_goes_on(
        self, envoy: EnvoyBench, port: int
    ) -> None:
        with instances("v1", "v2") as [v1, v2]:
            envoy.router.set_shares(routing(port, route("v1", 100, v1)), Generation(1))
            envoy.stop_as_if_it_hung()
            try:
                with pytest.raises(OSError, match="does not answer"):
                    envoy.router.set_shares(routing(port, route("v2", 100, v2)), Generation(2))
            finally:
                envoy.go_on()
            assert envoy.router.set_shares(routing(port, route("v2", 100, v2)), Generation(2))
            assert get(port).body == "v2"


def test_placements_set_at_the_same_time_do_not_overwrite_each_other(envoy: EnvoyBench) -> None:
    names = [f"service{number}" for number in range(6)]
    ports = free_ports(len(names))
    with instances(*names) as running:

        def roll(index: int) -> None:
            router, placement = envoy.another_router(), PlacementId(f"{names[index]}/production")
            for generation in range(1, 6):
                deployment = f"{names[index]}-{generation}"
                split = routing(ports[index], route(deployment, 100, running[index]), placement=placement)
                until(partial(router.set_shares, split, Generation(generation)))

        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(roll, range(len(names))))
        for name, port in zip(names, ports, strict=True):
            answer = get(port)
            assert (answer.body, answer.mark) == (name, f"{name}-5")


def test_many_placements_are_served_by_one_envoy(envoy: EnvoyBench) -> None:
    # more than a user may have inotify instances (128), of which Envoy takes one for each file that it watches
    envoy.kill()
    ports = free_ports(150)
    with instances("v1") as [v1]:
        records = RoutingRecords(envoy.files / "placements")
        for number, port in enumerate(ports):
            placement = PlacementId(f"service{number}/production")
            split = routing(port, route(f"d{number}", 100, v1), placement=placement)
            with records.one_at_a_time(placement):
                records.write(replace(begin(None, split, Generation(1)), serving=split))
        envoy.start()
        assert [get(port).mark for port in ports] == [f"d{number}" for number in range(len(ports))]
