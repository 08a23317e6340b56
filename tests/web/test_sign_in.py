"""Who may look, and whose forms are taken."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.integration.api.world import AGENT, SECOND, World

from .complaints import Complaints
from .stories import at_its_gate


def test_who_is_not_signed_in_is_told_how_and_comes_to_the_page(
    open_page: Callable[..., Page], world: World, complaints: Complaints
) -> None:
    run = at_its_gate(world)
    page = open_page()
    answer = page.goto(f"/runs/{run}")
    assert answer is not None and answer.status == 401
    expect(page.locator("main")).to_contain_text("admin-token")
    complaints.were_provoked()
    page.get_by_label("Your token").fill(SECOND)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{world.address}/runs/{run}")
    expect(page.locator(".who")).to_contain_text("second")
    page.get_by_role("button", name="Approve").click()
    assert world.ends(run)["stages"][1]["opened_by"] == "approved by second"


@pytest.mark.parametrize(
    ("token", "says"), [("wrong", "not known here"), (AGENT, "it opens no pages"), ("", "not known")]
)
def test_a_token_that_opens_no_pages_is_refused(world: World, token: str, says: str) -> None:
    with _form_sender(world) as browser:
        answer = browser.post("/sign-in", data={"token": token})
    assert answer.status_code == 401
    assert says in answer.text
    assert "set-cookie" not in answer.headers


def test_a_code_is_good_once(open_page: Callable[..., Page], world: World, complaints: Complaints) -> None:
    code = world.api.sign_in.new_code()
    first, second = open_page(), open_page()
    first.goto(f"/sign-in?code={code}")
    expect(first.locator(".who")).to_contain_text("owner")
    second.goto(f"/sign-in?code={code}")
    expect(second.get_by_role("alert")).to_contain_text("was used before")
    complaints.were_provoked()


def test_the_sign_in_address_opened_again_by_who_is_signed_in_leads_to_the_services(page: Page, world: World) -> None:
    page.goto("/sign-in?code=used")
    expect(page).to_have_url(f"{world.address}/")


def test_signing_out_ends_the_session(page: Page, world: World, complaints: Complaints) -> None:
    (cookie,) = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("signed out")
    assert world.api.sign_in.session(cookie["value"]) is None
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    complaints.were_provoked()


def test_the_sessions_cookie_is_out_of_the_reach_of_scripts_and_other_sites(page: Page) -> None:
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize(
    "then", ["//evil.example", "/\\evil.example", "https://evil.example/", "/a\r\nset-cookie: b=c"]
)
def test_signing_in_leads_to_no_other_server(world: World, then: str) -> None:
    with _form_sender(world) as browser:
        answer = browser.post("/sign-in", data={"token": SECOND, "then": then})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
        {},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_cookie(
    world: World, page: Page, headers: dict[str, str]
) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    csrf = page.locator(".ask input[name=csrf]").get_attribute("value")
    (cookie,) = page.context.cookies()
    form = {"csrf": csrf, "stage": "production", "word": "approved"}
    with httpx.Client(base_url=world.address, cookies={cookie["name"]: cookie["value"]}) as other:
        answer = other.post(f"/runs/{run}/answer", data=form, headers={"accept": "text/html", **headers})
    assert answer.status_code == 403
    assert "not sent from a page of this server" in answer.text
    assert world.get(f"/runs/{run}")["approvals"] == []


def test_a_form_without_the_sessions_own_token_is_refused(world: World, page: Page) -> None:
    run = at_its_gate(world)
    (cookie,) = page.context.cookies()
    own = {"origin": world.address, "sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=world.address, cookies={cookie["name"]: cookie["value"]}, headers=own) as other:
        for csrf in ("", "guessed"):
            form = {"csrf": csrf, "stage": "production", "word": "approved"}
            assert other.post(f"/runs/{run}/answer", data=form).status_code == 403
    assert world.get(f"/runs/{run}")["approvals"] == []


def test_a_form_that_another_site_submits_in_the_browser_does_nothing(
    world: World, page: Page, complaints: Complaints
) -> None:
    """The attack as it is made: a page of another origin posts with the victim's browser."""
    run = at_its_gate(world)
    html = f'<form method=post action="{world.address}/runs/{run}/cancel"><button>free things</button></form>'
    page.route("http://evil.example/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://evil.example/")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert world.get(f"/runs/{run}")["cancel_asked_by"] is None
    complaints.were_provoked()


def _form_sender(world: World) -> httpx.Client:
    """What a browser without a session sends from the server's own page."""
    headers = {"origin": world.address, "sec-fetch-site": "same-origin", "accept": "text/html"}
    return httpx.Client(base_url=world.address, headers=headers)
