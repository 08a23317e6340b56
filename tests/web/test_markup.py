"""Text that comes from repositories, agents and people is shown as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from playwright.sync_api import Page, expect
from tests.integration.api.world import World, eventually

from tidegate.engine.creation import Pushed
from tidegate.model.change import Change
from tidegate.model.ids import Commit, ServiceName

from .complaints import Complaints
from .stories import LeasedStep, agent_of, at_its_gate

EVIL = "<img src=x onerror=window.hurt=1><script>window.hurt=1</script>'\"{{7*7}}</title></pre>"


def _expect_unhurt(page: Page) -> None:
    assert page.evaluate("window.hurt === undefined")
    assert page.locator("main img, main script, main iframe").count() == 0


def test_nothing_that_users_write_becomes_markup(page: Page, world: World) -> None:
    world.repositories.text = world.repositories.text.replace("unit tests", "'unit <b onclick=hurt()>tests'")
    at_its_gate(world)
    change = Change(Commit("ee" + "0" * 38), f"Mallory {EVIL}", "m@example.com", datetime.now(UTC), EVIL)
    (run,) = world.api.services.push(ServiceName("shop"), [Pushed(change, 99, world.repositories.text)])
    with agent_of(world) as agent:
        step = LeasedStep(agent)
        step.writes(EVIL, "</pre><script>window.hurt=1</script>")
        step.ends("failed", 1, EVIL)
    eventually(lambda: world.get(f"/runs/{run.id}")["ended_at"], "the end")
    world.post("/services/shop/pause", {"reason": EVIL})
    for path in ("/", "/services/shop", f"/runs/{run.id}"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text(EVIL)
        _expect_unhurt(page)
    page.locator(f"#log-{step.id}-1 summary").click()
    expect(page.locator(f"#log-{step.id}-1 pre")).to_contain_text(EVIL)
    _expect_unhurt(page)
    page.goto(f"/steps/{step.id}/log")
    expect(page.locator("pre")).to_contain_text("</pre><script>")
    expect(page.locator("h1")).to_have_text("build: unit <b onclick=hurt()>tests")
    _expect_unhurt(page)


def test_a_comment_is_shown_as_it_was_written(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_role("textbox", name="Comment").fill(EVIL)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".answers")).to_have_text(f"owner approved: {EVIL}")
    _expect_unhurt(page)


def test_what_is_refused_repeats_nothing_as_markup(page: Page, complaints: Complaints) -> None:
    page.goto("/no-such-page/<img src=x onerror=window.hurt=1>")
    expect(page.get_by_role("alert")).to_contain_text("onerror")
    _expect_unhurt(page)
    complaints.were_provoked()


def test_a_page_allows_no_script_but_the_servers_own_files(page: Page, world: World) -> None:
    run = at_its_gate(world)
    for path in ("/", "/services/shop", f"/runs/{run}", "/sign-in"):
        answer = page.goto(path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        html = page.content()
        assert re.search(r"<[^>]+\son[a-z]+=", html) is None
        assert page.locator("script:not([src]), style, [style]").count() == 0


def test_an_inline_script_is_not_run_by_the_browser(page: Page, complaints: Complaints) -> None:
    """The policy holds even if some text were not escaped one day."""
    page.goto("/")
    page.evaluate(
        "const one = document.createElement('script'); one.textContent = 'window.hurt = 1'; document.body.append(one)"
    )
    assert page.evaluate("window.hurt === undefined")
    assert any("Content Security Policy" in one for one in complaints)
    complaints.were_provoked()


def test_pages_ask_no_other_server_for_anything(open_page: Callable[..., Page], world: World) -> None:
    run = at_its_gate(world)
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/sign-in?code={world.api.sign_in.new_code()}")
    page.goto(f"/runs/{run}")
    expect(page.locator("h1")).to_be_visible()
    assert {str(httpx.URL(one).copy_with(path="/", query=None)) for one in asked} == {f"{world.address}/"}
