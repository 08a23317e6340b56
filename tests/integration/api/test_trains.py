"""A release train over HTTP: what is aboard, when it leaves, who may send it, and what it brought."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.engine.test_notifications import People

from tidegate.engine.telling import Teller
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.channel import Channel, Topic
from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.people import Role
from tidegate.model.train import Train
from tidegate.security.permission import everywhere

from .world import World, a_world, eventually

VIEWER = "viewer-token-for-tests"


@pytest.fixture(scope="module")
def travelling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A shop that goes to production by a train alone."""
    with a_world(Path(tmp_path_factory.mktemp("trains"))) as world:
        world.trains["payments"] = Train("payments", (ServiceName("shop"),), EnvironmentName("production"))
        world.api.tokens.add(VIEWER, everywhere(Actor(ActorKind.PERSON, "vera"), Role.VIEWER))
        world.engine.sweep()
        yield world


def refused(world: World, path: str, token: str | None = None) -> tuple[int, str]:
    with world.client(token) if token else world.client() as client:
        answer = client.post(f"/api/v1/trains/{path}")
    return answer.status_code, str(answer.json()["detail"])


def passage(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.get("/trains/payments")["passage"]
    return found


def test_a_train_collects_is_held_and_leaves_with_what_is_approved(travelling: World) -> None:
    world = travelling
    eventually(lambda: world.get("/trains/payments")["passage"], "the train to collect")
    (listed,) = world.get("/trains")
    assert (listed["name"], listed["services"], listed["leaves"]) == ("payments", ["shop"], None)
    assert refused(world, "payments/depart") == (
        409,
        "nothing is ready for the train payments: no release waits for it alone",
    )
    assert refused(world, "payment/depart")[0] == 404
    assert refused(world, "payments/resume")[0] == 409

    run = world.add_shop()
    world.build()
    world.waits(run)
    (out,) = world.get("/trains/payments")["kept_out"]
    assert (out["service"], out["run"], "0 of 1 approvals" in out["because"]) == ("shop", run, True)
    world.post(f"/runs/{run}/approve")
    (ready,) = eventually(lambda: world.get("/trains/payments")["ready"] or None, "something that is ready")
    assert (ready["service"], ready["run"]) == ("shop", run)
    assert world.get("/trains/payments")["kept_out"] == []
    waiting = world.get(f"/runs/{run}")
    assert [one["command"] for one in waiting["next"]] == ["tidegate train depart payments"]

    assert refused(world, "payments/depart", VIEWER)[0] == 403
    assert world.post("/trains/payments/hold", {"reason": "a bad day"})["held_by"] == "owner"
    assert refused(world, "payments/depart") == (409, "the train payments is held by owner")
    assert world.post("/trains/payments/resume")["held_by"] is None
    people = People()
    teller = Teller(world.engine.parts, Channel("mates", "f", frozenset({Topic.TRAIN}), ("shop",)), people, "http://x")
    teller.look()
    left = world.post("/trains/payments/depart")
    assert world.ends(run)["status"] == "succeeded"

    def _arrived() -> dict[str, Any] | None:
        found = [one for one in world.get("/trains/payments")["passages"] if one["id"] == left["id"]]
        return found[0] if found[0]["ended_at"] else None

    arrived = eventually(_arrived, "the train's arrival")
    assert (arrived["state"], arrived["because"]) == ("arrived", "all 1 passed")
    assert [(one["service"], one["state"]) for one in arrived["members"]] == [("shop", "passed")]
    while teller.look() == timedelta(0):
        pass
    assert people.titles == ["train payments (production): it left", "train payments (production): it arrived"]


def test_a_cancelled_departure_is_followed_by_a_new_one(travelling: World) -> None:
    world = travelling
    before = eventually(lambda: world.get("/trains/payments")["passage"], "the train to collect")
    world.post("/trains/payments/cancel")
    eventually(lambda: (now := passage(world)) and now["id"] != before["id"], "the next one")
    assert world.get("/trains/payments")["passages"][1]["because"] == "cancelled by owner"


def test_a_release_tells_its_version_and_what_it_brings(travelling: World) -> None:
    (release,) = travelling.get("/releases", service="shop")
    detail = travelling.get(f"/releases/{release['id']}")
    assert detail["version"] is None
    assert [one["subject"] for one in detail["brings"]["production"]] == ["First version"]
    run = travelling.get(f"/runs/{release['run']}")
    assert run["brings"] == detail["brings"]
