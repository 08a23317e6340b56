"""What is frozen is seen, and who may freezes and thaws, on the first page and on a service's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
from playwright.sync_api import Page, expect
from tests.integration.api.test_people import account
from tests.integration.api.world import World

from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.train import Train

from .complaints import Complaints
from .stories import at_its_gate, expect_not_reloaded, mark


def _fill(page: Page, **typed: str) -> None:
    page.get_by_text("Freeze…").click()
    page.get_by_role("combobox", name="Environment").select_option("production")
    for label, text in typed.items():
        page.get_by_role("textbox", name=label).fill(text)


def test_an_environment_is_frozen_and_thawed_on_the_first_page(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto("/")
    freezes = page.locator("#freezes")
    expect(freezes).to_contain_text("Nothing is frozen.")
    _fill(page, Reason="the sale", Until="2h")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(freezes.locator("tbody")).to_contain_text("production, all services")
    expect(freezes.locator("tbody")).to_contain_text("the sale by owner")
    expect(freezes.locator("tbody .badge")).to_have_text("frozen")
    (known,) = world.get("/freezes")
    assert (known["environment"], known["service"], known["reason"]) == ("production", None, "the sale")
    world.post(f"/runs/{run}/approve")
    assert world.status_of(run) == "waiting"
    page.goto("/services/shop")
    page.get_by_role("button", name="Thaw").click()
    expect(freezes).to_contain_text("Nothing of it is frozen.")
    assert world.ends(run)["status"] == "succeeded"


def test_a_service_is_frozen_from_a_planned_time_on_the_clock_of_who_plans(
    open_page: Callable[..., Page], world: World
) -> None:
    page = open_page(timezone_id="Asia/Tokyo")
    page.goto(f"/sign-in?code={world.api.sign_in.new_code()}")
    world.add_shop()
    year = world.clock.now().year + 1
    page.goto("/services/shop")
    mark(page)
    _fill(page, Reason="the inventory", Until=f"{year}-01-03", From=f"{year}-01-02 09:00")
    page.get_by_role("button", name="Freeze", exact=True).click()
    rows = page.locator("#freezes tbody tr")
    expect(rows).to_contain_text(f"2 Jan {year} 09:00 (Asia/Tokyo)")
    expect(rows.locator(".badge")).to_have_text("planned")
    (known,) = world.get("/freezes")
    assert (known["service"], known["begins"], known["ends"]) == (
        "shop",
        f"{year}-01-02T00:00:00Z",
        f"{year}-01-03T15:00:00Z",
    )
    mark(page)
    world.post("/freezes", {"environment": "staging", "ends": f"{year}-02-01T00:00:00Z", "reason": "moving house"})
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("staging, all services")
    expect_not_reloaded(page)
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Take back").click()
    expect(rows).to_have_count(1)


def test_what_makes_no_sense_is_refused_in_words(page: Page, world: World, complaints: Complaints) -> None:
    complaints.were_provoked()  # of the answers 422
    page.goto("/")
    _fill(page, Reason="the sale", Until="tomorrow")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text('Until: "tomorrow" is no day and no time')
    page.goto("/")
    _fill(page, Reason="the sale", Until="2020-01-01")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("end before it begins, or has ended")
    assert world.get("/freezes") == []


def test_who_does_not_operate_there_neither_freezes_nor_thaws_nor_sends_a_train(world: World) -> None:
    world.add_shop()
    world.trains["payments"] = Train("payments", (ServiceName("shop"),), EnvironmentName("production"))
    of_all = world.post("/freezes", {"environment": "production", "ends": _in_an_hour(world), "reason": "x"})
    operates = {"role": "operator", "service": "shop", "environment": "staging"}
    token = account(world, "ada", operates)
    with world.client(None) as browser:
        browser.post("/sign-in", data={"token": token}, headers=_own(world))
        form = {"environment": "production", "until": "1h", "reason": "mine"}
        refused = [
            _send(world, browser, path, body)
            for path, body in (
                ("/freezes/begin", form),
                ("/services/shop/freeze", form),
                ("/freezes/begin", {**form, "environment": "staging"}),
                ("/freezes/thaw", {"freeze": of_all["id"]}),
                ("/services/shop/thaw", {"freeze": of_all["id"]}),
                ("/trains/payments/depart", {}),
                ("/trains/payments/cancel", {}),
            )
        ]
        assert refused == [403] * 7
        assert _send(world, browser, "/services/shop/freeze", {**form, "environment": "staging"}) == 303
        unsigned = browser.post("/services/shop/freeze", data=form, headers=_own(world))
        assert unsigned.status_code == 403
    assert {(one["environment"], one["reason"]) for one in world.get("/freezes")} == {
        ("production", "x"),
        ("staging", "mine"),
    }


def _own(world: World) -> dict[str, str]:
    return {"origin": world.address, "sec-fetch-site": "same-origin"}


def _in_an_hour(world: World) -> str:
    return (world.clock.now() + timedelta(hours=1)).isoformat()


def _send(world: World, browser: httpx.Client, path: str, body: dict[str, str]) -> int:
    ((_, cookie),) = browser.cookies.items()
    session = world.api.sign_in.session(cookie)
    assert session is not None
    return browser.post(path, data={**body, "csrf": session.csrf}, headers=_own(world)).status_code
