"""The same act sent twice is done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from .world import SECOND, World

SHOP = {"repository": "/repositories/shop"}


def _add(client: httpx.Client, key: str, body: dict[str, str] | None = None) -> httpx.Response:
    return client.post("/api/v1/services", json=body or SHOP, headers={"Idempotency-Key": key})


def test_the_same_key_gives_the_first_answer_again(world: World) -> None:
    with world.client() as client:
        first, second = _add(client, "one"), _add(client, "one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(world.get("/runs")["items"]) == 1


def test_the_same_act_with_another_key_is_another_act(world: World) -> None:
    with world.client() as client:
        assert _add(client, "one").status_code == 201
        assert _add(client, "two").status_code == 409


def test_a_key_stands_for_one_request_only(world: World) -> None:
    with world.client() as client:
        _add(client, "one")
        other = _add(client, "one", {"repository": "/repositories/other", "name": "other"})
    assert other.status_code == 422
    assert other.json()["remedy"] == "use a fresh key"
    assert [one["name"] for one in world.get("/services")] == ["shop"]


def test_two_people_may_choose_the_same_key(world: World) -> None:
    run = world.add_shop()
    with world.client() as owner, world.client(SECOND) as second:
        headers = {"Idempotency-Key": "one"}
        owner.post(f"/api/v1/runs/{run}/hold", headers=headers)
        owner.post(f"/api/v1/runs/{run}/resume", headers=headers)
        assert second.post(f"/api/v1/runs/{run}/hold", headers=headers).json()["held_by"] == "second"


def test_what_was_refused_may_be_tried_again_with_its_key(world: World) -> None:
    with world.client() as client:
        body = {"service": "shop", "environment": "production", "stop": "true"}
        headers = {"Idempotency-Key": "one"}
        assert client.post("/api/v1/rollbacks", json={**body, "stop": True}, headers=headers).status_code == 404
        world.shop_in_production()
        assert client.post("/api/v1/rollbacks", json={**body, "stop": True}, headers=headers).status_code == 202


def test_requests_at_the_same_moment_are_done_once(world: World) -> None:
    with world.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _add(client, "one"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["run"]["id"] for answer in answers}) == 1


def test_a_key_that_is_none_is_refused(world: World) -> None:
    with world.client() as client:
        assert _add(client, "x" * 201).status_code == 422
        assert _add(client, "").status_code == 422


def test_a_key_opens_nothing_to_who_has_no_token(world: World) -> None:
    with world.client() as client:
        _add(client, "one")
    with world.client(None) as nobody:
        assert _add(nobody, "one").status_code == 401
