"""The first page: services × environments, and what waits for a person."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.integration.api.world import World

from .stories import at_its_gate, expect_not_reloaded, mark, under_verification


def test_an_empty_board_says_how_to_begin(page: Page) -> None:
    expect(page.locator("main")).to_contain_text("tidegate service add .")


def test_the_board_shows_what_runs_where_and_how_the_traffic_is_split(page: Page, world: World) -> None:
    run = under_verification(world, "Cheaper rope")
    page.goto("/")
    staging, production = page.locator(".cell").all()
    expect(staging.locator(".label")).to_have_text("staging")
    expect(production.locator(".label")).to_have_text("production")
    expect(production.locator(".share .num")).to_have_text(["5%", "95%"])
    expect(production.locator(".share .what")).to_have_text(["Cheaper rope", "First version"])
    expect(production.get_by_role("link", name="judging")).to_have_attribute("href", f"/runs/{run}")


def test_the_board_leads_to_the_run_that_waits_for_a_person(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto("/")
    attention = page.locator(".attention li")
    expect(attention).to_contain_text("0 of 1 approvals")
    attention.get_by_role("link").click()
    expect(page).to_have_url(f"{world.address}/runs/{run}")


def test_the_board_changes_by_itself(page: Page, world: World) -> None:
    page.goto("/")
    expect(page.locator(".empty")).to_be_visible()
    mark(page)
    world.shop_in_production()
    expect(page.locator(".cell .share .num")).to_have_text(["100%", "100%"])
    expect(page.locator("table.runs .badge")).to_have_text("succeeded")
    expect_not_reloaded(page)


def test_nothing_of_a_page_is_wider_than_a_phone(page: Page, world: World) -> None:
    run = under_verification(world, "A subject that goes on and on, and on, " + "and-has-a-very-long-word" * 4)
    page.set_viewport_size({"width": 360, "height": 700})
    for path in ("/", "/services/shop", f"/runs/{run}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
