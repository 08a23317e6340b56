"""Flaky tests and quarantines on pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect
from tests.integration.api.test_tests import CART, PIPELINE, perform, quarantine
from tests.integration.api.world import World

from tidegate.store import outcome_queries, rows

EVIL = "<b onclick=hurt()>&"


def test_a_run_marks_the_tests_that_failed_and_are_flaky_or_in_quarantine(page: Page, world: World) -> None:
    world.repositories.text = PIPELINE
    run = world.add_shop()
    perform(world, CART)
    perform(world, EVIL)
    page.goto(f"/runs/{run}")
    failures = page.locator(".failures li")
    expect(failures).to_have_text([EVIL])
    world.ends(run)
    world.post("/tests/quarantine", quarantine(test=EVIL))
    world.post(f"/runs/{run}/retry")
    perform(world, CART, EVIL)
    expect(failures).to_have_text([f"{CART} flaky", f"{EVIL} in quarantine"])


def test_a_service_shows_its_tests_what_may_be_done_and_what_has_expired(page: Page, world: World) -> None:
    world.repositories.text = PIPELINE
    run = world.add_shop()
    perform(world, CART)
    perform(world)
    page.goto("/services/shop")
    line = page.locator("#tests tbody tr")
    expect(line).to_contain_text("flaky")
    expect(line).to_contain_text("1 of 2")
    expect(line.locator("a")).to_have_attribute("href", f"/runs/{run}")
    expect(line.locator("code.command")).to_have_text(f"tidegate tests quarantine shop {CART} --owner NAME --until 14d")
    world.post("/tests/quarantine", quarantine(reason="slow disk"))
    expect(line.locator("code.command")).to_have_text(f"tidegate tests release shop {CART}")
    expect(line).to_contain_text("owner Ada, until")
    expect(line).to_contain_text("slow disk")
    _expire(world)
    for path in ("/", "/services/shop"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text("quarantine")
        expect(page.locator("main")).to_contain_text("expired")
        expect(page.locator("main")).to_contain_text(f"{CART} (owner Ada)" if path == "/" else f"{CART} counts again")


def _expire(world: World) -> None:
    """Let the quarantine have ended a minute ago."""
    with world.database.writing() as connection:
        (held,) = outcome_queries.quarantines(connection)
        rows.put(connection, replace(held, until=datetime.now(UTC) - timedelta(minutes=1)))
