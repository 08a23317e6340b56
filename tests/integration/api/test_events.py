"""Events, as a stream that is taken up where it was left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from .world import World, eventually


@contextmanager
def _listening(client: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    with client.stream("GET", f"/api/v1{path}", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer)


def _messages(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            event = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (str(event["id"]), event["kind"])
            yield event
            fields = {}


def test_a_listener_hears_what_happens_from_now_on(world: World) -> None:
    run = world.add_shop()
    with world.client() as client, _listening(client, "/events") as messages:
        world.post(f"/runs/{run}/hold")
        event = next(one for one in messages if one["actor"]["name"] == "owner")
    assert event["text"].startswith("owner holds")
    assert event["about"]["run"] == run


def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(world: World) -> None:
    run = world.add_shop()
    world.build()
    world.waits(run)
    all_of_them = world.get(f"/runs/{run}/events")
    ids = [one["id"] for one in all_of_them]
    assert ids == sorted(set(ids))
    with world.client() as client:
        with _listening(client, f"/events?run={run}", **{"Last-Event-ID": "0"}) as messages:
            begun = [next(messages) for _ in range(3)]
        with _listening(client, f"/events?run={run}", **{"Last-Event-ID": str(begun[-1]["id"])}) as messages:
            rest = [next(messages) for _ in all_of_them[3:]]
    assert begun + rest == all_of_them


def test_the_header_of_a_reconnecting_browser_counts_more_than_the_address(world: World) -> None:
    run = world.add_shop()
    known = eventually(lambda: events if len(events := world.get(f"/runs/{run}/events")) > 1 else None, "two events")
    last = str(known[-2]["id"])
    with world.client() as client, _listening(client, "/events?after=0", **{"Last-Event-ID": last}) as messages:
        assert next(messages)["id"] == known[-1]["id"]


def test_events_of_one_service_or_one_run_are_those_only(world: World) -> None:
    run = world.add_shop()
    other = world.post("/services", {"repository": "/repositories/other", "name": "other"})["run"]["id"]
    with world.client() as client:
        json_page = {"accept": "application/json"}
        of_other = client.get("/api/v1/events?service=other", headers=json_page).json()
        of_run = client.get(f"/api/v1/events?run={run}", headers=json_page).json()
        everything = client.get("/api/v1/events", headers=json_page).json()
    assert {one["about"]["service"] for one in of_other} == {"other"}
    assert {one["about"]["run"] for one in of_run} == {run}
    assert {one["about"].get("run") for one in everything} >= {run, other}


def test_a_runs_events_come_in_pages(world: World) -> None:
    run = world.add_shop()
    world.build()
    world.waits(run)
    everything = world.get(f"/runs/{run}/events")
    paged: list[Any] = []
    while page := world.get(f"/runs/{run}/events", after=paged[-1]["id"] if paged else 0, limit=4):
        assert len(page) <= 4
        paged += page
    assert paged == everything


def test_the_record_is_checked(world: World) -> None:
    world.shop_in_production()
    answer = world.get("/audit")
    assert answer["ok"] is True
    assert answer["events"] > 10
    assert answer["first_bad"] is None


def test_a_server_that_has_enough_listeners_says_so(world: World) -> None:
    world.app.state.listeners.update(object() for _ in range(200))
    with world.client() as client:
        answer = client.get("/api/v1/events")
    assert answer.status_code == 503
    assert "200 listen to events already" in answer.json()["detail"]


def test_who_stops_listening_makes_room(world: World) -> None:

    run = world.add_shop()
    with world.client() as client, _listening(client, "/events?after=0") as messages:
        next(messages)
        assert len(world.app.state.listeners) == 1
    world.post(f"/runs/{run}/hold")
    eventually(lambda: not world.app.state.listeners, "the listener's place")
