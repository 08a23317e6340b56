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


def test_colours_of_a_terminal_are_colours_of_the_page_and_nothing_else_of_a_log_is_html(
    page: Page, world: World
) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes("\x1b[1;31mFAILED\x1b[0m test_<b>prices</b>", "plain")
        step.ends("failed", 1)
    page.goto(f"/steps/{step.id}/log")
    expect(page.locator("pre .sgr-bold.sgr-fg-1")).to_have_text("FAILED")
    expect(page.locator("#L1")).to_contain_text("FAILED test_<b>prices</b>")
    assert "\x1b" not in (page.locator("pre").text_content() or "")


def test_a_line_has_an_address_that_shows_it_on_its_page_of_a_long_log(page: Page, world: World) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes(*(f"line {number}" for number in range(1, 2501)))
        step.ends()
    page.goto(f"/steps/{step.id}/log?find=line+2345")
    expect(page.locator("pre .row")).to_have_count(1)
    page.locator("pre .row .no").click()
    expect(page.locator("#L2345")).to_be_in_viewport()
    expect(page.locator("#L2345")).to_contain_text("line 2345")


def test_words_are_found_in_a_log_and_the_whole_of_it_is_downloaded(page: Page, world: World) -> None:
    world.add_shop()
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes("one", "\x1b[32mTwo\x1b[0m", "three")
        step.ends()
    page.goto(f"/steps/{step.id}/log")
    page.get_by_label("Find").fill("two")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("pre .row")).to_have_count(1)
    page.get_by_label("Find").fill("nowhere")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("pre")).to_contain_text("no line holds these words")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    lines = started.value.path().read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "Two", "three"]
