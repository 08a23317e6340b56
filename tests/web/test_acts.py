"""What the buttons do, they really do; and the page tells who did it, and why."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.integration.api.world import SECOND, World, eventually

from tidegate.model.verdict import Verdict

from .complaints import Complaints
from .stories import at_its_gate, expect_status, under_verification


def _confirm(page: Page, name: str) -> None:
    page.locator("summary", has_text=f"{name}…").first.click()
    page.get_by_role("button", name=f"Yes, {name.lower()}").first.click()


def test_approve(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_role("textbox", name="Comment").fill("figures look right")
    page.get_by_role("button", name="Approve").click()
    expect_status(page, "succeeded")
    expect(page.locator(".answers")).to_have_text("owner approved: figures look right")
    expect(page.locator("#stage-2 summary.heading")).to_contain_text("approved by owner")
    (approval,) = world.get(f"/runs/{run}")["approvals"]
    assert (approval["answer"], approval["actor"]["name"], approval["comment"]) == (
        "approved",
        "owner",
        "figures look right",
    )


def test_a_yes_is_taken_back_where_two_are_asked(page: Page, world: World) -> None:
    world.repositories.text = world.repositories.text.replace("{count: 1}", "{count: 2}")
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".answers")).to_have_text("owner approved")
    page.get_by_role("button", name="Take back my yes").click()
    expect(page.locator(".answers")).to_contain_text("owner withdrawn")
    expect(page.get_by_role("button", name="Take back my yes")).to_have_count(0)


def test_breaking_the_glass_wants_a_reason_and_opens_the_gate(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_text("Break the glass…").click()
    page.get_by_role("button", name="Yes, open it").click()
    assert world.get("/break-glass") == []
    page.get_by_label("The reason").fill("the shop sells for nothing")
    page.get_by_role("button", name="Yes, open it").click()
    expect(page.locator("#stage-2 summary.heading")).to_contain_text("break-glass by owner: the shop sells for nothing")
    (glass,) = world.get("/break-glass")
    assert glass["run"] == run
    mark = page.locator(".notice.bad")
    expect(mark).to_contain_text("owner broke the glass at production: the shop sells for nothing. Somebody else has")
    expect(mark.locator(".command")).to_have_text(f"tidegate review {glass['id']} --comment TEXT")
    page.goto("/services/shop")
    expect(page.locator("table.runs").get_by_text("break-glass", exact=True)).to_be_visible()
    page.goto("/")
    expect(page.locator(".attention li.bad")).to_contain_text("the glass was broken at production")
    expect(page.locator("table.runs").get_by_text("break-glass", exact=True)).to_be_visible()
    world.post(f"/break-glass/{glass['id']}/review", {"comment": "it burned indeed"}, SECOND)
    page.goto("/")
    expect(page.locator("table.runs")).to_be_visible()
    expect(page.locator(".attention li.bad")).to_have_count(0)
    expect(page.get_by_text("break-glass", exact=True)).to_have_count(0)
    page.goto(f"/runs/{run}")
    expect(page.locator(".notice.quiet")).to_contain_text("Reviewed by second: it burned indeed")


def test_reject(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_role("textbox", name="Comment").fill("not on a Friday")
    page.get_by_role("button", name="Reject").click()
    expect_status(page, "rejected")
    expect(page.locator(".notice").last).to_contain_text("rejected by owner: not on a Friday")
    assert world.status_of(run) == "rejected"


def test_hold_and_resume(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator(".next")).to_contain_text("held by owner")
    assert world.get(f"/runs/{run}")["held_by"] == "owner"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Hold")).to_be_visible()
    expect(page.locator(".next")).to_have_count(0)
    assert world.get(f"/runs/{run}")["held_by"] is None


def test_promote_ends_a_share_now(page: Page, world: World) -> None:
    run = under_verification(world)
    page.goto(f"/runs/{run}")
    _confirm(page, "Promote")
    expect(page.locator("#stage-2 .plan [aria-current]")).to_have_text("25%")
    expect(page.locator(".events")).to_contain_text("owner")
    assert world.get(f"/runs/{run}")["rollouts"][1]["step"] == 1


def test_cancel_takes_back_what_was_begun(page: Page, world: World) -> None:
    run = under_verification(world)
    page.goto(f"/runs/{run}")
    _confirm(page, "Cancel the run")
    expect_status(page, "cancelled")
    expect(page.locator(".notice").nth(1)).to_contain_text("owner")
    (status,) = world.get("/status", service="shop")
    assert list(status["environments"]["production"]["shares"].values()) == [1.0]


def test_retry(page: Page, world: World) -> None:
    run = world.add_shop()
    world.build(fails=True)
    world.ends(run)
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name="Try again").click()
    expect_status(page, "running")
    assert world.status_of(run) == "running"


def test_roll_back_from_the_runs_page(page: Page, world: World) -> None:
    run = under_verification(world)
    before = world.get("/status", service="shop")[0]["environments"]["production"]["commit"]
    page.goto(f"/runs/{run}")
    page.locator("#stage-2 summary", has_text="Roll back…").click()
    page.locator("#stage-2").get_by_role("button", name="Yes, roll back").click()
    expect_status(page, "rolled back")
    expect(page.locator("#stage-2 .notice.bad")).to_contain_text("owner")
    production = world.get("/status", service="shop")[0]["environments"]["production"]
    assert (production["commit"], production["shares"]) == (before, {before[:8]: 1.0})


def test_roll_back_to_a_chosen_release_from_the_services_page(page: Page, world: World) -> None:
    first = world.shop_in_production()
    second = world.push("Second")
    world.build()
    world.waits(second)
    world.post(f"/runs/{second}/approve")
    world.ends(second)
    wanted = world.get(f"/runs/{first}")
    page.goto("/services/shop")
    card = page.locator(".card", has=page.get_by_role("heading", name="production"))
    card.locator("summary", has_text="Roll back…").click()
    card.get_by_role("combobox").select_option(wanted["release"])
    card.get_by_role("button", name="Yes, roll back").click()
    expect(card.locator(".share .what")).to_have_text("First version")
    expect(card.locator(".share .num")).to_have_text("100%")
    expect(card).to_contain_text("quarantined")
    expect(card).to_contain_text("owner")
    assert world.get("/status", service="shop")[0]["environments"]["production"]["commit"] == wanted["commit"]


def test_stop_lets_nothing_serve(page: Page, world: World) -> None:
    world.shop_in_production()
    page.goto("/services/shop")
    card = page.locator(".card", has=page.get_by_role("heading", name="production"))
    card.locator("summary", has_text="Stop…").click()
    card.get_by_role("button", name="Yes, stop").click()
    expect(card).to_contain_text("nothing serves")
    assert world.get("/status", service="shop")[0]["environments"]["production"]["shares"] == {}


def test_pause_and_go_on(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto("/services/shop")
    page.get_by_role("textbox", name="Why it is paused").fill("a sale begins")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".notice.asks", has_text="Paused.")).to_contain_text("a sale begins")
    expect(page.locator(".notice.asks", has_text="Paused.")).to_contain_text("owner")

    page.goto(f"/runs/{run}")
    expect(page.locator(".next")).to_contain_text("a sale begins")
    expect(page.locator(".next")).to_contain_text("tidegate service resume shop")
    page.locator(".next").get_by_role("link", name="on the service's page").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert world.get("/services/shop")["paused_because"] is None


def test_what_is_refused_says_why_and_leads_back(page: Page, world: World, complaints: Complaints) -> None:
    """Two people had the page open: the other one was faster."""
    run = at_its_gate(world)
    page.route("**/live?*", lambda route: route.abort())
    page.goto(f"/runs/{run}")
    world.post(f"/runs/{run}/reject", {"stage": "production"}, token=SECOND)
    world.ends(run)
    page.get_by_role("button", name="Approve").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    assert "rejected" in (alert.text_content() or "")
    page.unroute("**/live?*")
    page.get_by_role("link", name="Back").click()
    expect(page).to_have_url(f"{world.address}/runs/{run}")
    expect_status(page, "rejected")
    complaints.were_provoked()


def test_a_rollback_with_nothing_to_return_to_says_so_and_what_else_can_be_done(
    page: Page, world: World, complaints: Complaints
) -> None:
    world.shop_in_production()
    page.goto("/services/shop")
    card = page.locator(".card", has=page.get_by_role("heading", name="production"))
    card.locator("summary", has_text="Roll back…").click()
    card.get_by_role("button", name="Yes, roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    expect(page.locator("main")).to_contain_text("What to do:")
    complaints.were_provoked()


def test_a_share_that_asks_people_is_approved_where_it_asks(page: Page, world: World) -> None:
    world.repositories.text = world.repositories.text.replace("[5%, 25%]", "[5%, {approve: 1}, 25%]")
    world.shop_in_production()
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    page.goto(f"/runs/{run}")
    expect(page.locator(".ask")).to_contain_text("May 25% of production go to")
    expect(page.locator(".ask code")).to_have_text(f"tidegate approve {run}")
    page.get_by_role("button", name="Approve").click()
    expect_status(page, "succeeded")


def test_a_rollout_that_holds_says_so_and_what_ends_it(page: Page, world: World) -> None:
    world.repositories.text = world.repositories.text.replace("at_most: 10m", "at_most: 1s, no_data: hold")
    world.shop_in_production()
    world.judge.verdict = Verdict.NO_DATA
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    page.goto(f"/runs/{run}")
    expect(page.locator(".rollout .notice.asks")).to_contain_text("no requests reached the new deployment")
    ways = [f"tidegate watch {run} --wait", f"tidegate promote {run}", f"tidegate cancel {run}"]
    expect(page.locator(".ask.hold code")).to_have_text(ways)
    _confirm(page, "Promote")
    eventually(lambda: world.get(f"/runs/{run}")["rollouts"][1]["step"] >= 1 or None, "the next share")


def test_forms_work_without_javascript(open_page: Callable[..., Page], world: World) -> None:
    run = at_its_gate(world)
    page = open_page(java_script_enabled=False)
    page.goto(f"/sign-in?code={world.api.sign_in.new_code()}")
    page.goto(f"/runs/{run}")
    page.get_by_role("textbox", name="Comment").press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{world.address}/runs/{run}")
    assert world.ends(run)["stages"][1]["opened_by"] == "approved by owner"
    page.reload()
    expect_status(page, "succeeded")
