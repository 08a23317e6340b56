"""A served world, and a real browser that is signed in to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.integration.api.world import World, a_world

from .complaints import Complaints

LIMIT_MILLISECONDS = 15_000

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser(require: Callable[[str, bool], None]) -> Iterator[Browser]:
    """Chromium, once for all tests."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require("Chromium", found is not None)
    expect.set_options(timeout=LIMIT_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=_QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server of its own."""
    with a_world(tmp_path) as found:
        yield found


@pytest.fixture
def complaints() -> Complaints:
    """What the browser's console complains of."""
    return Complaints()


@pytest.fixture
def open_page(browser: Browser, world: World, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """Opens pages of browsers that are not signed in; each is a browser of its own, with the given options."""
    contexts: list[BrowserContext] = []

    def _open(**options: object) -> Page:
        context = browser.new_context(base_url=world.address, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(LIMIT_MILLISECONDS)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield _open
    for context in contexts:
        context.close()
    assert complaints.unprovoked == []


@pytest.fixture
def page(open_page: Callable[..., Page], world: World) -> Page:
    """A page of a signed-in browser; whatever its console complains of fails the test."""
    page = open_page()
    page.goto(f"/sign-in?code={world.api.sign_in.new_code()}")
    return page
