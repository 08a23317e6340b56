"""Logs, while their steps still run."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.integration.api.world import World

from .stories import LeasedStep, agent_of, expect_not_reloaded, mark


def test_a_log_is_followed_on_its_own_page(page: Page, world: World) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes("collecting …")
        page.goto(f"/steps/{step.id}/log")
        log = page.locator("pre")
        expect(log).to_contain_text("collecting …")
        mark(page)
        step.writes("test_prices ok", "test_discounts ok")
        expect(log).to_contain_text("test_discounts ok")
        step.writes("2 passed")
        step.ends()
        expect(log).to_contain_text("2 passed")
        expect(log.locator("[hx-get]")).to_have_count(0)
        assert (log.text_content() or "").count("collecting …") == 1
    expect_not_reloaded(page)


def test_a_log_is_followed_on_the_runs_page_while_that_changes(page: Page, world: World) -> None:
    run = world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes("collecting …")
        page.goto(f"/runs/{run}")
        page.locator(f"#log-{step.id}-1 summary").click()
        log = page.locator(f"#log-{step.id}-1 pre")
        expect(log).to_contain_text("collecting …")
        world.post(f"/runs/{run}/hold")
        expect(page.locator(".next")).to_contain_text("held by owner")
        step.writes("test_prices ok")
        expect(log).to_contain_text("test_prices ok")
        expect(log).to_contain_text("collecting …")


def test_a_step_that_wrote_nothing_says_so(page: Page, world: World) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.ends()
    page.goto(f"/steps/{step.id}/log")
    expect(page.locator("pre")).to_contain_text("nothing was written")


def test_a_long_log_comes_in_parts(page: Page, world: World) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes(*(f"line {number}" for number in range(1, 2501)))
        step.ends()
    page.goto(f"/steps/{step.id}/log")
    log = page.locator("pre")
    expect(log).to_contain_text("line 2000")
    expect(log).not_to_contain_text("line 2001")
    page.get_by_role("link", name="More lines").click()
    expect(log).to_contain_text("line 2500")
    expect(log).to_contain_text("line 1\n")


def test_a_log_can_be_read_without_javascript(open_page: Callable[..., Page], world: World) -> None:
    run = world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes("only words")
        step.ends("failed", 1, "exit status 1")
    page = open_page(java_script_enabled=False)
    page.goto(f"/sign-in?code={world.api.sign_in.new_code()}")
    page.goto(f"/runs/{run}")
    page.locator(f"#log-{step.id}-1 summary").click()
    page.get_by_role("link", name="The log on a page of its own").click()
    expect(page.locator("pre")).to_contain_text("only words")
