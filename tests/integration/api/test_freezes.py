"""Freezes over HTTP: whoever operates there may freeze, everybody sees it, and the gates obey."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.people import Held, Role
from tidegate.security.permission import account_identity, everywhere
from tidegate.store import tables

from .world import World, eventually

OPERATOR, OF_SHOP = "operator-token-for-tests", "shop-operator-token-for-tests"


def in_hours(world: World, hours: float) -> str:
    return (world.clock.now() + timedelta(hours=hours)).isoformat()


def test_a_freeze_from_its_beginning_to_its_end(world: World) -> None:
    run = world.add_shop()
    world.build()
    world.waits(run)
    body = {"environment": "production", "ends": in_hours(world, 2), "reason": "the sale", "timezone": "Europe/London"}
    made = world.post("/freezes", body)
    assert made["holds"] and not made["configured"] and made["by"]["name"] == "owner"
    assert world.get("/freezes", environment="production") == [made]
    assert world.get("/freezes", environment="staging") == []
    assert world.get(f"/freezes/{made['id']}") == made
    assert world.get("/environments/production")["freezes"] == [made]
    assert world.get("/status")[0]["freezes"] == [made]
    world.post(f"/runs/{run}/approve")

    def frozen() -> str | None:
        reasons = world.get(f"/runs/{run}")["stages"][1]["gate"]["blocking"]
        return next((one["remedy"] for one in reasons if one["rule"] == "freeze" and len(reasons) == 1), None)

    assert eventually(frozen, "the freeze at the gate") == f"tidegate thaw {made['id']}"
    detail = world.get(f"/runs/{run}")
    again = datetime.fromisoformat(detail["stages"][1]["gate"]["look_again_at"])
    assert again == datetime.fromisoformat(made["ends"])
    assert {"production: frozen until" in one["text"] for one in detail["next"]} == {True}
    with world.client(None) as browser:
        browser.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        for page in ("/", "/services/shop"):
            assert "by owner: the sale" in browser.get(page).text
    with world.client() as client:
        assert client.delete(f"/api/v1/freezes/{made['id']}").json()["lifted_by"]["name"] == "owner"
    assert world.ends(run)["status"] == "succeeded"
    with world.database.reading() as connection:
        kinds = set(connection.execute(select(tables.event.c.kind)).scalars())
    assert {"freeze.set", "freeze.lifted"} <= kinds


def test_who_operates_one_service_freezes_no_other(world: World) -> None:
    world.add_shop()
    world.api.tokens.add(OPERATOR, everywhere(Actor(ActorKind.PERSON, "op"), Role.OPERATOR))
    world.api.tokens.add(OF_SHOP, account_identity("ada", [Held(Role.OPERATOR, "shop", "production")]))
    all_of_it = {"environment": "production", "ends": in_hours(world, 1), "reason": "x"}
    with world.client(OF_SHOP) as ada:
        refused = ada.post("/api/v1/freezes", json=all_of_it)
        assert refused.status_code == 403 and "'operate' in production" in refused.json()["detail"]
        own = ada.post("/api/v1/freezes", json={**all_of_it, "service": "shop"})
        assert own.status_code == 201
        general = world.post("/freezes", all_of_it, token=OPERATOR)
        assert ada.delete(f"/api/v1/freezes/{general['id']}").status_code == 403
        assert ada.delete(f"/api/v1/freezes/{own.json()['id']}").status_code == 200


def test_what_makes_no_sense_is_refused_in_words(world: World) -> None:
    world.add_shop()
    right = {"environment": "production", "ends": in_hours(world, 1), "reason": "x"}
    with world.client() as client:
        for wrong, status, words in (
            ({"environment": "prod"}, 404, "no environment called 'prod'"),
            ({"ends": "2026-03-02T12:00:00"}, 422, "body.ends"),
            ({"ends": in_hours(world, -1)}, 422, "end before it begins"),
            ({"reason": ""}, 422, "body.reason"),
            ({"reason": "  "}, 422, "reason"),
            ({"timezone": "../../etc/passwd"}, 422, "body.timezone"),
            ({"timezone": "Nowhere"}, 422, "no time zone"),
            ({"service": "nosuch"}, 404, "no service"),
        ):
            answer = client.post("/api/v1/freezes", json={**right, **wrong})
            assert answer.status_code == status, answer.text
            assert words in answer.json()["detail"]
        assert client.get("/api/v1/freezes").json() == []
        assert client.delete("/api/v1/freezes/nosuch").status_code == 404
