"""What came of a rehearsal, over HTTP, in the record and on the service's page."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.model.event import EventKind
from tidegate.store import events

from .test_people import account
from .world import World

FOUND = {
    "fault": "errors",
    "found": True,
    "why": "errors 5.1%, before 0.1%",
    "seconds": 22.0,
    "requests": 900,
    "harmed": 9,
    "end": "before",
    "rollback_seconds": 0.17,
    "took_seconds": 60.5,
}
MISSED = FOUND | {
    "fault": "slow",
    "found": False,
    "seconds": None,
    "rollback_seconds": None,
    "end": "new",
    "harmed": 90,
}
BODY = {
    "service": "shop",
    "commit": "1a2b3c4d" * 5,
    "environment": "production",
    "began_at": "2026-03-02T12:00:00Z",
    "ended_at": "2026-03-02T12:07:00Z",
    "quick": 5.0,
    "per_second": 40.0,
    "outcomes": [FOUND, MISSED],
}


def test_it_is_kept_listed_recorded_and_shown(world: World) -> None:
    world.add_shop()
    kept = world.post("/rehearsals", BODY)
    assert [one["went_well"] for one in kept["outcomes"]] == [True, False]
    assert kept["went_well"] is False
    newer = world.post("/rehearsals", BODY | {"outcomes": [FOUND]})
    assert world.get("/rehearsals", service="shop") == [newer, kept]
    assert world.get("/rehearsals", service="site") == []
    with world.engine.parts.database.reading() as connection:
        recorded = events.of_service(connection, "shop")
    assert [one.event.text for one in recorded if one.event.kind is EventKind.REHEARSED] == [
        "1a2b3c4d of shop was rehearsed with 2 faults in production: slow went wrong",
        "1a2b3c4d of shop was rehearsed with 1 fault in production: all went well",
    ]
    with world.client(None) as browser:
        browser.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        page = browser.get("/services/shop").text
    assert "not found" in page and "times 1/5" in page and "90, 10.0%" in page


def test_only_who_operates_the_service_there_may_say_what_came_of_one(world: World) -> None:
    world.add_shop()
    token = account(world, "ada", {"role": "operator", "environment": "staging"})
    with world.client(token) as ada:
        assert ada.post("/api/v1/rehearsals", json=BODY).status_code == 403
        assert ada.post("/api/v1/rehearsals", json=BODY | {"environment": "staging"}).status_code == 201


def test_when_the_next_begins_is_told_where_the_file_asks_for_them(world: World) -> None:
    world.shop_in_production()
    assert world.get("/rehearsals/schedule") == []
    world.repositories.text += "rehearsals: {every: 7d, faults: [errors], quick: 10}\n"
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    world.ends(run)
    (due,) = world.get("/rehearsals/schedule")
    assert (due["service"], due["when"], due["faults"], due["is_due"]) == ("shop", "every 7d", ["errors"], True)
    assert world.get("/rehearsals/schedule", service="site") == []
    now = world.clock.now().isoformat()
    world.post("/rehearsals", BODY | {"began_at": now, "ended_at": now})
    (later,) = world.get("/rehearsals/schedule", service="shop")
    assert later["is_due"] is False and later["last_at"] and later["next_at"] > later["last_at"]
    with world.client(None) as browser:
        browser.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        assert later["in_words"].partition(":")[0] in browser.get("/services/shop").text


@pytest.mark.parametrize(
    "wrong",
    [{"outcomes": []}, {"quick": 0.5}, {"commit": "main"}, {"began_at": "2026-03-02T12:00:00"}, {"outcomes": [{}]}],
    ids=lambda one: next(iter(one)),
)
def test_what_cannot_be_is_refused(world: World, wrong: dict[str, Any]) -> None:
    world.add_shop()
    with world.client() as admin:
        assert admin.post("/api/v1/rehearsals", json=BODY | wrong).status_code == 422


def test_a_service_that_is_not_there_was_not_rehearsed(world: World) -> None:
    with world.client() as admin:
        assert admin.post("/api/v1/rehearsals", json=BODY).status_code == 404
