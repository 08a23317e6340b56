"""Incidents over HTTP and on the pages: who operates there opens and closes them, everybody sees them."""

from __future__ import annotations

import pytest

from tidegate.model.verdict import Verdict

from .test_people import account
from .world import World, eventually

EVIL = "<b onclick=x>it is *slow*</b>"


@pytest.fixture
def shop(world: World) -> World:
    world.shop_in_production()
    return world


def test_an_incident_from_its_beginning_to_its_end(shop: World) -> None:
    made = shop.post("/incidents", {"service": "shop", "environment": "production", "reason": EVIL})
    assert made["is_open"] and made["source"] == "person" and made["opened_by"]["name"] == "owner"
    page = shop.get("/incidents", service="shop", open=True)
    assert [one | {"seconds": 0} for one in page["items"]] == [made | {"seconds": 0}] and page["next"] is None
    assert shop.get("/incidents", environment="staging")["items"] == []
    detail = shop.get(f"/incidents/{made['id']}")
    assert [one["subject"] for one in detail["commits"]] == ["First version"]
    assert detail["time_line"][-1]["kind"] == "incident.opened"
    assert detail["post_mortem"].startswith("# shop in production: \\<b onclick=x\\>it is \\*slow\\*\\</b\\>")
    with shop.client(None) as browser:
        browser.get(f"/sign-in?code={shop.api.sign_in.new_code()}")
        for page in ("/services/shop", f"/incidents/{made['id']}"):
            shown = browser.get(page).text
            assert "&lt;b onclick=x&gt;it is *slow*" in shown and EVIL not in shown
        assert browser.get("/incidents/nothing").status_code == 404
    closed = shop.post(f"/incidents/{made['id']}/close", {"reason": "the network"})
    assert not closed["is_open"] and closed["closed_because"] == "closed by owner: the network"
    assert shop.get("/incidents", open=True)["items"] == []


def test_who_operates_staging_opens_none_in_production(shop: World) -> None:
    token = account(shop, "ada", {"role": "operator", "environment": "staging"})
    body = {"service": "shop", "environment": "production", "reason": "slow"}
    with shop.client(token) as ada:
        assert ada.post("/api/v1/incidents", json=body).status_code == 403
        assert ada.post("/api/v1/incidents", json=body | {"environment": "staging"}).status_code == 201
        assert ada.post("/api/v1/incidents", json=body | {"environment": "staging"}).status_code == 409


def test_the_page_of_a_run_that_was_rolled_back_names_its_incident(shop: World) -> None:
    shop.api.engine.parts.judge.verdict = Verdict.UNDECIDED  # type: ignore[attr-defined]
    run = shop.push()
    shop.build()
    shop.waits(run)
    shop.post(f"/runs/{run}/approve")
    eventually(lambda: len(shop.get(f"/runs/{run}")["rollouts"]) > 1, "the rollout")
    shop.post("/rollbacks", {"service": "shop", "environment": "production"})
    assert shop.ends(run)["status"] == "rolled_back"
    (found,) = shop.get("/incidents")["items"]
    assert (found["source"], found["run"], found["commit"]) == ("rollback", run, shop.get(f"/runs/{run}")["commit"])
    with shop.client(None) as browser:
        browser.get(f"/sign-in?code={shop.api.sign_in.new_code()}")
        assert f'/incidents/{found["id"]}"' in browser.get(f"/runs/{run}").text
