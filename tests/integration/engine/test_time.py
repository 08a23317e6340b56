"""Windows, schedules and freezes on the real store: a gate opens when its time comes, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.engine.asking_shop import AskingShop
from tests.integration.engine.shop import OWNER, PLAIN, SHOP

from tidegate.config import server_yaml
from tidegate.engine.freezes import WantedFreeze
from tidegate.engine.refusal import Refusal
from tidegate.model.approval import Answer
from tidegate.store.database import Database

HOUR = timedelta(hours=1)
GATE = "gate: {approvals: {count: 1}}"
WINDOW = '{days: [mon], hours: "13:00-14:00", timezone: UTC}'
WINDOWED = PLAIN.replace(GATE, f"gate: {{approvals: {{count: 1}}, window: {WINDOW}}}")
SERVER = """\
environments:
  staging: {}
  production:
    protected: true
    freezes: [{from: "2026-03-02 13:00", to: "2026-03-02 14:00", timezone: UTC, reason: the sale, services: [shop]}]
"""


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> AskingShop:
    return AskingShop(sqlite, tmp_path)


def until(shop: AskingShop, hours: float, reason: str = "the sale") -> WantedFreeze:
    return WantedFreeze("production", shop.clock.now() + hours * HOUR, reason)


def approved(shop: AskingShop, text: str | None = None) -> str:
    """A release that everybody approved, at production's gate."""
    run = shop.added(text)
    shop.built()
    shop.approved(run, "production")
    return run


def test_a_gate_opens_by_itself_when_its_window_does(shop: AskingShop) -> None:
    run = approved(shop, WINDOWED)
    assert shop.run(run).status == "waiting"
    assert shop.waits_for(run) == ["opens Mon 2 Mar 2026 13:00 (UTC): the window is Mon 13:00–14:00 (UTC)"]
    assert shop.run(run).wake_at == datetime(2026, 3, 2, 13, tzinfo=UTC)
    shop.pass_time(timedelta(minutes=59))
    assert shop.serving() is None
    shop.pass_time(timedelta(minutes=1))
    assert shop.run(run).status == "succeeded"


def test_the_waking_survives_a_restart(shop: AskingShop) -> None:
    run = approved(shop, WINDOWED)
    shop.restart()
    shop.settle()
    shop.pass_time(HOUR)
    assert shop.run(run).status == "succeeded"


def test_a_window_that_closes_again_lets_nobody_in_afterwards(shop: AskingShop) -> None:
    run = shop.added(WINDOWED)
    shop.built()
    shop.pass_time(HOUR)  # it opens and nobody has approved
    shop.pass_time(HOUR)
    shop.approved(run, "production")
    assert shop.serving() is None
    assert shop.waits_for(run) == ["opens Mon 9 Mar 2026 13:00 (UTC): the window is Mon 13:00–14:00 (UTC)"]


def test_a_clock_set_back_into_the_window_deploys_nothing_and_loses_no_waking(shop: AskingShop) -> None:
    run = shop.added(WINDOWED)
    shop.built()
    shop.pass_time(2.5 * HOUR)
    shop.approved(run, "production")
    assert shop.serving() is None
    shop.clock.time -= HOUR  # 13:30 again, as it seems
    shop.engine.sweep()
    shop.settle()
    assert shop.serving() is None
    assert any("set back" in one for one in shop.waits_for(run))
    shop.pass_time(HOUR)
    assert [one.partition(":")[0] for one in shop.waits_for(run)] == ["opens Mon 9 Mar 2026 13"]
    shop.clock.time = datetime(2026, 3, 9, 13, tzinfo=UTC)
    shop.settle()
    assert shop.run(run).status == "succeeded"


def test_a_freeze_holds_every_gate_until_it_ends(shop: AskingShop) -> None:
    shop.freezes.freeze(until(shop, 1), OWNER)
    run = approved(shop)
    assert shop.waits_for(run) == ["frozen until Mon 2 Mar 2026 13:00 (UTC) by owner: the sale"]
    shop.pass_time(HOUR)
    assert shop.run(run).status == "succeeded"
    assert "owner freezes production until Mon 2 Mar 2026 13:00 (UTC): the sale" in shop.said()


def test_lifting_a_freeze_lets_in_at_once_who_waits(shop: AskingShop) -> None:
    freeze = shop.freezes.freeze(until(shop, 1), OWNER)
    run = approved(shop)
    shop.freezes.lift(freeze.id, OWNER)
    shop.settle()
    assert shop.run(run).status == "succeeded"
    assert "owner ends the freeze of production: the sale" in shop.said()


def test_a_planned_freeze_shuts_a_gate_that_waits_when_it_begins(shop: AskingShop) -> None:
    begins = shop.clock.now() + HOUR
    shop.freezes.freeze(replace(until(shop, 2), begins=begins), OWNER)
    run = shop.added()
    shop.built()
    shop.pass_time(HOUR)
    shop.approved(run, "production")
    assert shop.serving() is None
    shop.pass_time(HOUR)
    assert shop.run(run).status == "succeeded"


def test_a_freeze_of_another_service_or_environment_concerns_nobody_here(shop: AskingShop) -> None:
    shop.freezes.freeze(replace(until(shop, 1), environment="staging", service=None), OWNER)
    run = shop.added()
    shop.built()
    assert shop.waits_for(run, "staging") == ["frozen until Mon 2 Mar 2026 13:00 (UTC) by owner: the sale"]
    shop.pass_time(HOUR)
    shop.freezes.freeze(replace(until(shop, 1), environment="dev"), OWNER)
    shop.approved(run, "production")
    assert shop.run(run).status == "succeeded"


def test_a_rollback_is_never_blocked_by_a_freeze(shop: AskingShop) -> None:
    first, second = shop.deployed(), shop.deployed()
    shop.freezes.freeze(until(shop, 1), OWNER)
    shop.placements.roll_back(SHOP, "production", OWNER)
    shop.settle_until(lambda: shop.serving() == shop.label(first))
    assert shop.label(second) != shop.serving()


def test_what_rolls_out_when_a_freeze_begins_goes_on(shop: AskingShop) -> None:
    shop.deployed()
    run = shop.pushed()
    shop.built()
    shop.runs.answer(run, Answer.APPROVED, OWNER)
    shop.engine.look(f"run:{run}")  # its gate is open, and nothing has moved yet
    shop.freezes.freeze(until(shop, 1), OWNER)
    shop.settle_until(lambda: shop.serving() == shop.label(run))


def test_the_freezes_of_the_configuration_hold_and_nobody_lifts_them(sqlite: Database, tmp_path: Path) -> None:
    shop = AskingShop(sqlite, tmp_path, environments=server_yaml.load(SERVER).environments)
    shop.clock.time += HOUR
    run = approved(shop)
    assert shop.waits_for(run) == ["frozen until Mon 2 Mar 2026 14:00 (UTC) by tidegate-server.yaml: the sale"]
    with shop.database.reading() as connection:
        (known,) = shop.freezes.all(connection)
    refused = shop.refuses(lambda: shop.freezes.lift(known.id, OWNER), Refusal.REFUSED)
    assert "tidegate-server.yaml" in str(refused.remedy)
    shop.pass_time(HOUR)
    assert shop.run(run).status == "succeeded"


def test_a_freeze_that_makes_no_sense_is_refused_and_changes_nothing(shop: AskingShop) -> None:
    now = shop.clock.now()
    for wanted, kind, words in (
        (replace(until(shop, 1), environment="prod"), Refusal.NOT_FOUND, "no environment called 'prod'"),
        (replace(until(shop, 1), service="shp"), Refusal.NOT_FOUND, "no service called 'shp'"),
        (until(shop, 1, reason="  "), Refusal.INVALID, "with its reason"),
        (until(shop, -1), Refusal.INVALID, "end before it begins"),
        (replace(until(shop, 1), begins=now + 2 * HOUR), Refusal.INVALID, "end before it begins"),
        (until(shop, 24 * 400), Refusal.INVALID, "at most a year"),
        (replace(until(shop, 1), timezone="Europe/Londn"), Refusal.INVALID, "no time zone"),
    ):
        refused = shop.refuses(lambda wanted=wanted: shop.freezes.freeze(wanted, OWNER), kind)  # type: ignore[misc]
        assert words in str(refused)
    freeze = shop.freezes.freeze(until(shop, 1), OWNER)
    shop.freezes.lift(freeze.id, OWNER)
    shop.refuses(lambda: shop.freezes.lift(freeze.id, OWNER), Refusal.CONFLICT)
    shop.refuses(lambda: shop.freezes.lift("nosuch", OWNER), Refusal.NOT_FOUND)
