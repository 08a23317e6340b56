"""The queue's page: who performs what, and what waits for whom and why."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.integration.api.world import World, eventually

from .stories import LeasedStep, agent_of, expect_not_reloaded, mark


def test_every_page_leads_to_the_queue(page: Page, world: World) -> None:
    world.add_shop()
    page.goto("/services/shop")
    page.get_by_role("link", name="Queue").click()
    expect(page.locator("h1")).to_have_text("Agents")
    expect(page.locator("#agents")).to_contain_text("No agent has asked for work yet.")


def test_what_runs_and_what_waits_is_shown_as_it_changes(page: Page, world: World) -> None:
    run = world.add_shop()
    page.goto("/queue")
    mark(page)
    waiting, agents = page.locator("#waiting"), page.locator("#agents")
    expect(waiting.get_by_role("row")).to_have_count(2)
    expect(waiting).to_contain_text("build: unit tests")
    expect(waiting).to_contain_text("no agent asks for work")
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        expect(agents).to_contain_text("build: unit tests")
        expect(agents.locator(".badge")).to_have_text("busy")
        expect(waiting).to_contain_text("Nothing waits.")
        commit = world.get(f"/runs/{run}")["commit"]
        assert agents.get_by_role("link", name=commit[:8]).get_attribute("href") == f"/runs/{run}"
        world.post("/agents/one/drain")
        expect(agents.locator(".badge")).to_have_text("draining")
        expect(agents).to_contain_text("drained by owner: tidegate agents resume one")
        step.ends()
        expect(agents.locator(".badge")).to_have_text("drained")
        expect(waiting).to_contain_text("every agent that could run it is being drained: one")
    expect_not_reloaded(page)


def test_names_that_agents_and_files_give_are_text(page: Page, world: World) -> None:
    evil = "<img src=x onerror=window.hurt=1>"
    world.repositories.text = world.repositories.text.replace("unit tests", f"'{evil}'")
    world.add_shop()
    eventually(lambda: world.get("/queue")["total"] or None, "a ready step")
    page.goto("/queue")
    expect(page.locator("#waiting")).to_contain_text(evil)
    assert page.locator("main img").count() == 0
