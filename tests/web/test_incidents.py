"""An incident is seen where people look first, tells what is known of it, and is closed on its page."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.integration.api.world import World, eventually

from .stories import under_verification


def test_a_rollback_leads_to_its_incident_which_is_closed_on_its_page(page: Page, world: World) -> None:
    run = under_verification(world, "Add <i>discounts</i>")
    world.post("/rollbacks", {"service": "shop", "environment": "production"})
    assert world.ends(run)["status"] == "rolled_back"
    page.goto("/")
    expect(page.locator("main")).to_contain_text("shop in production: an incident is open")
    page.goto(f"/runs/{run}")
    page.get_by_role("link", name="rolled back by owner").first.click()
    expect(page.locator("h1")).to_contain_text("shop in production")
    expect(page.locator("main")).to_contain_text("Add <i>discounts</i>")
    expect(page.locator("#time-line")).to_contain_text("all traffic is back after")
    page.get_by_text("A draft of a post-mortem").click()
    expect(page.locator("#post-mortem pre")).to_contain_text("## Commits in question")
    page.get_by_role("textbox", name="Why it is over").fill("it was the cache")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("h1 .badge")).to_have_text("over")
    expect(page.locator("main")).to_contain_text("closed by owner: it was the cache")
    begun = world.post("/drills", {"service": "shop", "environment": "staging"})
    eventually(lambda: world.get(f"/drills/{begun['run']}")["ended_at"], "the end of the drill")
    page.goto("/services/shop")
    expect(page.locator("#incidents tbody")).to_contain_text("over")
    expect(page.locator("#drills tbody")).to_contain_text("went well")
