"""The page of release trains: what each carries, what keeps others out, and what happened last."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect
from tests.integration.api.world import World, eventually

from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.train import Train
from tidegate.model.verdict import Verdict
from tidegate.store import events

from .stories import expect_not_reloaded, mark

SHOP, MAIL = ServiceName("shop"), ServiceName("mail")


def a_train(world: World) -> None:
    """Mail goes to production after the shop."""
    world.trains["payments"] = Train("payments", (MAIL, SHOP), EnvironmentName("production"), {MAIL: (SHOP,)})
    world.engine.sweep()
    eventually(lambda: world.get("/trains/payments")["passage"], "the train to collect")


def row(where: Locator, service: str) -> Locator:
    return where.locator("tbody tr").filter(has=where.page.get_by_role("link", name=service, exact=True))


def add_mail(world: World) -> str:
    world.repositories.text = world.repositories.text.replace("service: shop", "service: mail")
    run = str(world.post("/services", {"repository": "/repositories/mail", "name": "mail"})["run"]["id"])
    world.build()
    world.waits(run)
    return run


def test_a_train_is_seen_to_collect_to_be_held_to_leave_and_to_arrive(page: Page, world: World) -> None:
    page.get_by_role("link", name="Trains").click()
    expect(page.locator(".empty")).to_contain_text("There is no train")
    a_train(world)
    page.reload()
    expect(page.locator("tbody tr").last).to_contain_text("the server knows no such service")
    run = world.add_shop()
    world.build()
    world.waits(run)
    add_mail(world)
    page.reload()
    mark(page)
    train = page.locator("#train-payments")
    shop, mail = row(train, "shop"), row(train, "mail")
    expect(train).to_contain_text("to production, leaves when somebody says so")
    expect(mail).to_contain_text("after shop")
    expect(shop.locator(".badge")).to_have_text("kept out")
    world.post(f"/runs/{run}/approve")
    expect(shop.locator(".badge")).to_have_text("ready")
    expect(mail.locator(".badge")).to_have_text("kept out")
    expect(mail).to_contain_text("0 of 1 approvals")
    expect_not_reloaded(page)

    train.get_by_label("Why it is not to leave").fill("a bad day")
    train.get_by_role("button", name="Hold").click()
    expect(train.get_by_text("held by owner")).to_be_visible()
    expect(train.get_by_text("Let it leave…")).to_have_count(0)
    with world.database.reading() as connection:
        said = [one.event.text for one in events.since(connection, 0, 1000)]
    assert "owner holds the train payments: a bad day" in said
    train.get_by_role("button", name="Resume").click()
    train.get_by_text("Let it leave…").click()
    train.get_by_role("button", name="Yes, let it leave").click()
    arrived = train.locator(".passage")
    expect(arrived.locator("summary")).to_contain_text("all 1 passed")
    expect(row(arrived, "shop")).to_contain_text("passed")
    expect(row(arrived, "mail")).to_have_count(0)
    expect(mail.first.locator(".badge")).to_have_text("kept out")
    assert world.ends(run)["status"] == "succeeded"


def test_a_train_under_way_is_stopped_and_comes_back(page: Page, world: World) -> None:
    world.shop_in_production()
    a_train(world)
    world.judge.verdict = Verdict.UNDECIDED
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    eventually(lambda: world.get("/trains/payments")["ready"], "something that is ready")
    world.post("/trains/payments/depart")
    page.goto("/trains")
    page.set_viewport_size({"width": 360, "height": 700})
    train = page.locator("#train-payments")
    expect(row(train, "shop").locator(".badge")).to_have_text("its turn")
    train.get_by_text("Stop it…").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    train.get_by_role("button", name="Yes, stop it").click()
    stopped = train.locator(".passage")
    expect(stopped.locator("summary")).to_contain_text("stopped and rolled back")
    expect(stopped.locator("summary")).to_contain_text("cancelled by owner")
    expect(row(stopped, "shop")).to_contain_text("rolled back")
    assert world.ends(run)["status"] == "rolled_back"
