"""The first administrator's account, signing in with a password, and one's own account, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.integration.api.world import World

from .complaints import Complaints


def test_from_the_one_time_link_to_a_changed_password(
    open_page: Callable[..., Page], world: World, complaints: Complaints
) -> None:
    link = world.post("/first-admin-link")["address"]
    page = open_page()
    page.goto(link)
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_label("Full name").fill("Ada Lovelace")
    page.get_by_label("Password", exact=True).fill("ada ada ada ada")
    page.get_by_label("The same again").fill("ada ada ada")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada")
    for label in ("Password", "The same again"):
        page.get_by_label(label, exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".who")).to_contain_text("ada")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/queue")
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("name or the password is wrong")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{world.address}/queue")
    page.get_by_role("link", name="ada").click()
    page.get_by_label("Old password").fill("correct horse battery")
    for label in ("New password", "The same again"):
        page.get_by_label(label).fill("staple with a hyphen")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("alert")).to_contain_text("All your browsers are signed out")
    complaints.were_provoked()  # of the answers 401 and 422
