"""Drills over HTTP and on the service's page."""

from __future__ import annotations

from .test_people import account
from .world import World, eventually


def test_a_drill_from_its_beginning_to_its_end(world: World) -> None:
    world.shop_in_production()
    run = world.push()
    world.build()
    world.waits(run)
    body = {"service": "shop", "environment": "staging"}
    token = account(world, "ada", {"role": "operator", "environment": "production"})
    with world.client(token) as ada:
        assert ada.post("/api/v1/drills", json=body).status_code == 403
        assert ada.post("/api/v1/drills", json=body | {"environment": "production"}).status_code == 403
    begun = world.post("/drills", body)
    eventually(lambda: world.get(f"/drills/{begun['run']}")["ended_at"], "the end")
    over = world.get(f"/drills/{begun['run']}")
    assert over["went_wrong"] == []
    assert over["state"] == "passed" and over["seconds"] >= 0 and over["went_wrong"] == []
    assert world.get("/drills", service="shop") == [over]
    assert world.get("/drills", environment="production") == []
    assert world.get("/incidents")["items"] == []
    with world.client(None) as browser:
        browser.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        assert "went well" in browser.get("/services/shop").text
        assert browser.get(f"/runs/{begun['run']}").status_code == 200
