"""A run's page changes while it is looked at, and says why."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.integration.api.world import World

from tidegate.model.verdict import Verdict

from .complaints import Complaints
from .stories import (
    LeasedStep,
    agent_of,
    at_its_gate,
    expect_not_reloaded,
    expect_status,
    mark,
    under_verification,
)


def test_a_run_is_followed_from_its_build_to_its_gate_without_a_reload(page: Page, world: World) -> None:
    run = world.add_shop()
    page.goto(f"/runs/{run}")
    expect(page.locator(".strip li").first).to_contain_text("building")
    mark(page)
    world.build()
    expect_status(page, "waiting")
    expect(page.locator(".strip li")).to_contain_text(["built", "passed", "at its gate"])
    expect(page.locator(".evidence")).to_contain_text("12 of 12 tests passed, 91.5% of lines covered")
    world.post(f"/runs/{run}/approve")
    expect_status(page, "succeeded")
    expect_not_reloaded(page)


def test_a_passed_stage_that_goes_back_opens_while_its_page_is_looked_at(page: Page, world: World) -> None:
    world.shop_in_production()
    run = world.push("Add discounts")
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    page.goto(f"/runs/{run}")
    expect_status(page, "succeeded")
    page.reload()
    production = page.locator("#stage-2 > details")
    production.locator("summary.heading").click()
    expect(production).not_to_have_attribute("open", "")
    mark(page)
    world.post("/rollbacks", {"service": "shop", "environment": "production"})
    expect_status(page, "rolled back")
    expect(production).to_have_attribute("open", "")
    expect_not_reloaded(page)


def test_a_gate_says_which_rules_were_looked_at_and_what_ends_the_waiting(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    blocking = page.locator(".gate[open] .blocks")
    expect(blocking).to_contain_text("0 of 1 approvals")
    expect(blocking.locator("code")).to_have_text(f"tidegate approve {run}")
    expect(page.locator("main")).to_contain_text("because it was pushed to the main branch")
    expect(page.locator(".ask")).to_contain_text("enter production?")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.locator(".ask code")).to_have_text(f"tidegate approve {run}")


def test_a_run_that_is_tried_again_was_pushed_all_the_same_and_a_deployed_one_has_its_person(
    page: Page, world: World
) -> None:
    run = at_its_gate(world)
    world.post(f"/runs/{run}/reject")
    world.post(f"/runs/{run}/retry")
    page.goto(f"/runs/{run}")
    expect(page.locator("main")).to_contain_text("because it was pushed to the main branch")
    release = world.get(f"/runs/{run}")["release"]
    deployed = world.post("/deployments", {"service": "shop", "environment": "production", "release": release})
    page.goto(f"/runs/{deployed['id']}")
    expect(page.locator("main")).to_contain_text(re.compile("because .+ deployed it"))


def test_a_canary_under_verification_shows_its_share_and_the_figures(page: Page, world: World) -> None:
    run = under_verification(world)
    page.goto(f"/runs/{run}")
    production = page.locator("#stage-2")
    expect(production.locator(".plan li")).to_have_text(["5%", "25%", "100%"])
    expect(production.locator(".plan [aria-current]")).to_have_text("5%")
    expect(production.locator(".rollout")).to_contain_text("2% or more is not excluded yet, about 40 s to go")
    expect(production.locator(".metrics tbody tr").first).to_contain_text("0.4%")
    expect(production.get_by_role("img")).to_have_attribute(
        "aria-label", "new: errors at most 0% in a batch; old: errors at most 0% in a batch"
    )


@pytest.mark.parametrize(("button", "status"), [("Go on", "25%"), ("Go back", "5%")])
def test_a_rollout_that_holds_is_decided_with_one_click(page: Page, world: World, button: str, status: str) -> None:
    run = under_verification(world)
    world.judge.verdict = Verdict.NO_DATA
    page.goto(f"/runs/{run}")
    asked = page.locator(".ask.hold")
    expect(asked.locator("h2")).to_have_text("production holds at 5%: which way on?")
    expect(asked.locator("code")).to_have_text(
        [f"tidegate watch {run} --wait", f"tidegate promote {run}", f"tidegate cancel {run}"]
    )
    world.judge.verdict = Verdict.UNDECIDED
    asked.get_by_role("button", name=button).click()
    production = page.locator("#stage-2")
    if button == "Go on":
        expect(production.locator(".plan [aria-current]")).to_have_text(status)
    else:
        expect(production.locator(".plan .left")).to_have_text(status)
    expect(asked).to_be_hidden()


def test_a_failed_verification_says_which_figure_and_where_the_traffic_went(page: Page, world: World) -> None:
    run = under_verification(world)
    page.goto(f"/runs/{run}")
    mark(page)
    world.judge.verdict = Verdict.FAIL
    expect_status(page, "rolled back")
    expect(page.locator(".notice.bad").first).to_contain_text("errors: 25% of 40 requests on the new deployment")
    expect(page.locator("#stage-2 .notice.bad")).to_contain_text("All traffic was back after")
    expect(page.locator("#stage-2 .plan .left")).to_have_text("5%")
    expect(page.locator(".next code")).to_have_text(f"tidegate retry {run}")
    expect_not_reloaded(page)


def test_what_a_reader_opened_typed_and_chose_stays_while_the_page_changes(page: Page, world: World) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    build = page.locator("#build details").first
    build.locator("summary.heading").click()
    comment = page.get_by_role("textbox", name="Comment")
    comment.fill("half a sent")
    mark(page)
    world.post(f"/runs/{run}/hold")
    expect(page.locator(".next")).to_contain_text("held by owner")
    expect(comment).to_have_value("half a sent")
    expect(comment).to_be_focused()
    expect(build).to_have_attribute("open", "")
    expect_not_reloaded(page)


def test_the_attempt_before_a_retry_stays_in_words(page: Page, world: World) -> None:
    run = world.add_shop()
    with agent_of(world) as agent:
        LeasedStep(agent).ends("failed", 3, "exit status 3")
        page.goto(f"/runs/{run}")
        expect_status(page, "failed")
        expect(page.locator("#build")).to_contain_text("exit status 3")
        page.get_by_role("button", name="Try again").click()
        expect_status(page, "running")
        expect(page.locator("#build")).to_contain_text("attempt 1: failed. exit status 3")


def test_a_page_that_lost_the_server_says_so_and_goes_on_by_itself(
    page: Page, world: World, complaints: Complaints
) -> None:
    run = at_its_gate(world)
    page.route("**/live?*", lambda route: route.abort())
    page.goto(f"/runs/{run}")
    expect(page.get_by_role("status")).to_contain_text("may be old")
    page.unroute("**/live?*")
    expect(page.get_by_role("status")).to_be_hidden()
    world.post(f"/runs/{run}/approve")
    expect_status(page, "succeeded")
    complaints.were_provoked()


def test_a_session_that_ended_meanwhile_leads_to_the_way_to_sign_in(
    page: Page, world: World, complaints: Complaints
) -> None:
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    (cookie,) = page.context.cookies()
    page.route("**/live?*", lambda route: route.fulfill(status=401))
    page.reload()
    world.api.sign_in.end(cookie["value"])
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    complaints.were_provoked()


def test_an_unknown_run_is_said_to_be_unknown(page: Page, world: World, complaints: Complaints) -> None:
    answer = page.goto("/runs/01unknown")
    assert answer is not None and answer.status == 404
    expect(page.get_by_role("alert")).to_have_text("There is no run called '01unknown'")
    complaints.were_provoked()


def test_no_more_pages_are_kept_live_than_the_server_can_bear(open_page: Callable[..., Page], world: World) -> None:
    with world.client(None) as client:
        client.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        world.app.state.open_pages.update(object() for _ in range(100))
        answer = client.get("/live")
    assert answer.status_code == 409
    assert "100 pages are open already" in answer.text


def test_a_person_sees_the_evidence_that_policy_reads_and_what_policy_would_decide(page: Page, world: World) -> None:
    policies = "{policy: [{name: scan, expression: release.scan.critical == 0}], approvals: {count: 1}}"
    world.repositories.text = world.repositories.text.replace("{approvals: {count: 1}}", policies)
    run = at_its_gate(world)
    page.goto(f"/runs/{run}")
    facts = page.locator(".evidence .facts")
    expect(facts).to_contain_text("nothing serves there yet")
    expect(facts).to_contain_text("no scan was reported")
    expect(facts.locator(".blocks")).to_have_text('the policy "scan" waits: no scan was reported (release.scan)')
    expect(facts.locator(".alone")).to_contain_text("policy would wait: ")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".answers")).to_contain_text("owner approved")
    (approval,) = world.get(f"/runs/{run}")["approvals"]
    assert set(approval["looked_at"]) == {"run", "evidence"}


def test_a_step_that_failed_as_it_may_is_told_where_the_release_is(page: Page, world: World) -> None:
    world.repositories.text = "service: shop\nbuild: {steps: [{name: lint, run: make lint, allow_failure: true}]}\n"
    run = world.add_shop()
    world.build(fails=True)
    release = world.ends(run)["release"]
    page.goto(f"/runs/{run}")
    expect_status(page, "succeeded")
    expect(page.locator(".evidence")).to_contain_text("Failed, as they may: lint.")
    expect(page.locator(".steps .line")).to_contain_text(re.compile("failed.*lint.*it may fail", re.DOTALL))
    expect(page.get_by_text(re.compile("build: lint failed: .*, it may fail")).first).to_be_attached()
    assert world.get(f"/releases/{release}")["failed_steps"] == ["lint"]
