"""No path leads past a closed gate: each is tried, nothing begins to roll out, and then the right way opens it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread

import pytest
from tests.integration.engine.asking_shop import SECRET
from tests.integration.engine.gated_shop import ADA, AUTOMATIC, BEN, EVE, HOUR, LEAN, GatedShop
from tests.integration.engine.shop import OWNER, SHOP, STAGING

from tidegate.engine.asking import NotSigned
from tidegate.engine.refusal import Refused
from tidegate.model.approval import Answer
from tidegate.model.ids import EnvironmentName, ReleaseId
from tidegate.model.pipeline import Mode
from tidegate.model.train import Train
from tidegate.security.signature import sign
from tidegate.store import queries, rows
from tidegate.store.database import Database

Patch = pytest.MonkeyPatch
SERVER = """\
environments:
  staging: {}
  production:
    protected: true
"""
OF_LEADS = SERVER + "    gate: {approvals: {count: 1, from: [leads]}}\n"


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> GatedShop:
    return GatedShop(sqlite, tmp_path)


# An approval is for one release at one stage


def test_a_yes_to_an_older_release_does_not_let_a_newer_one_in(shop: GatedShop) -> None:
    shop.frozen()
    older = shop.at_the_gate()
    shop.says_yes(older)
    newer = shop.next_at_the_gate()
    shop.keeps_out(newer)
    shop.pass_time(HOUR)
    shop.lets_in(older)
    shop.keeps_out(newer)
    shop.says_yes(newer)
    shop.lets_in(newer)


def test_a_yes_to_a_newer_release_does_not_let_an_older_one_in(shop: GatedShop) -> None:
    older = shop.at_the_gate()
    shop.runs.hold(older, OWNER)
    newer = shop.next_at_the_gate()
    shop.says_yes(newer)
    shop.keeps_out(older)
    shop.lets_in(newer)
    shop.keeps_out(older)
    asked = shop.placements.deploy(SHOP, "production", shop.label(older), ADA).id
    shop.keeps_out(asked)
    shop.says_yes(asked)
    shop.lets_in(asked)


def test_a_yes_at_one_stage_opens_no_other(shop: GatedShop) -> None:
    shop.restart_with(SERVER.replace("staging: {}", "staging: {protected: true}"))
    run = shop.added(LEAN)
    shop.built()
    shop.says_yes(run)
    shop.keeps_out(run)
    assert shop.begun(run) == [], "a yes for production is none for staging"
    shop.approved(run, "staging")
    shop.lets_in(run)


def test_a_yes_at_staging_is_none_for_production(shop: GatedShop) -> None:
    shop.restart_with(SERVER.replace("staging: {}", "staging: {protected: true}"))
    run = shop.added(LEAN)
    shop.built()
    shop.approved(run, "staging")
    assert shop.serving(STAGING) == shop.label(run)
    shop.keeps_out(run)
    shop.approved(run, "production")
    shop.lets_in(run)


def test_a_yes_that_was_given_to_another_release_of_the_run_counts_for_nothing(shop: GatedShop) -> None:
    """No run has two releases today: the gate does not rely on that."""
    shop.frozen()
    run = shop.at_the_gate()
    shop.says_yes(run)
    with shop.database.writing() as connection:
        (given,) = queries.approvals(connection, run)
        rows.put(connection, replace(given, release=ReleaseId("what was built before")))
    shop.pass_time(HOUR)
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


def test_a_release_that_a_person_deploys_while_an_approved_one_waits_needs_its_own_yes(shop: GatedShop) -> None:
    other = shop.at_the_gate()
    approved = shop.next_at_the_gate()
    shop.frozen()
    shop.says_yes(approved)
    asked = shop.placements.deploy(SHOP, "production", shop.label(other), ADA).id
    shop.keeps_out(asked)
    shop.pass_time(HOUR)
    shop.lets_in(approved)
    shop.keeps_out(asked)
    shop.says_yes(asked)
    shop.lets_in(asked)


# Retry, restart, races


def test_a_rejected_run_that_is_tried_again_needs_a_new_yes(shop: GatedShop) -> None:
    run = shop.at_the_gate("approvals: {count: 2}")
    shop.says_yes(run, ADA)
    shop.runs.answer(run, Answer.REJECTED, BEN)
    shop.keeps_out(run)
    shop.runs.retry(run, EVE)
    shop.keeps_out(run)
    shop.says_yes(run, BEN)
    shop.lets_in(run)


def test_a_cancelled_run_that_is_tried_again_meets_the_freeze_again(shop: GatedShop) -> None:
    shop.frozen()
    run = shop.at_the_gate()
    shop.says_yes(run)
    shop.runs.cancel(run, OWNER)
    shop.keeps_out(run)
    shop.runs.retry(run, OWNER)
    shop.keeps_out(run)
    shop.pass_time(HOUR)
    shop.lets_in(run)


def test_a_restart_between_a_yes_and_the_look_neither_loses_it_nor_takes_it_for_two(shop: GatedShop) -> None:
    run = shop.at_the_gate("approvals: {count: 2}")
    shop.says_yes(run, ADA)
    shop.restart()
    shop.keeps_out(run)
    shop.says_yes(run, ADA)
    shop.restart()
    shop.keeps_out(run)
    shop.says_yes(run, BEN)
    shop.restart()
    shop.lets_in(run)


def test_of_two_who_say_yes_at_once_only_the_one_who_is_asked_counts(shop: GatedShop) -> None:
    shop.knows(ADA, BEN, EVE)
    shop.people.set_team("leads", ["ada", "ben"], OWNER)
    run = shop.at_the_gate("approvals: {count: 2, from: [leads]}")
    both_there = Barrier(2)

    def says_yes(who: object) -> None:
        both_there.wait(10)
        shop.says_yes(run, who)  # type: ignore[arg-type]

    racing = [Thread(target=says_yes, args=(who,)) for who in (ADA, EVE)]
    for one in racing:
        one.start()
    for one in racing:
        one.join(20)
    shop.keeps_out(run)
    assert "eve is in none of the groups that are asked" in shop.waits_for(run)[0]
    shop.says_yes(run, BEN)
    shop.lets_in(run)


def test_who_takes_a_yes_back_before_the_look_has_not_let_it_in(shop: GatedShop) -> None:
    run = shop.at_the_gate()
    shop.says_yes(run)
    shop.runs.withdraw(run, OWNER)
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


# A changed file, a changed configuration


def test_a_newer_file_that_asks_nobody_changes_nothing_for_the_older_run(shop: GatedShop) -> None:
    older = shop.at_the_gate("approvals: {count: 2}")
    shop.says_yes(older, ADA)
    shop.next_at_the_gate("approvals: {count: 1}")
    assert shop.run(older).status == "superseded"
    again = shop.placements.deploy(SHOP, "production", shop.label(older), ADA).id
    shop.says_yes(again, ADA)
    shop.keeps_out(again)
    shop.says_yes(again, BEN)
    shop.lets_in(again)


def test_no_file_weakens_what_the_server_demands(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.people.set_team("leads", ["ada"], OWNER)
    shop.restart_with(OF_LEADS)
    run = shop.automatic()
    shop.built()
    shop.keeps_out(run)
    weaker = shop.pushed(AUTOMATIC.replace("    deploy:", "    gate: {approvals: {from: [ben]}}\n    deploy:"))
    shop.built()
    shop.says_yes(weaker, BEN)
    shop.keeps_out(weaker)
    shop.says_yes(weaker, ADA)
    shop.lets_in(weaker)


def test_a_stricter_configuration_holds_for_what_was_approved_before_the_restart(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.people.set_team("leads", ["ada"], OWNER)
    run = shop.at_the_gate()
    shop.says_yes(run, BEN)
    shop.restart_with(OF_LEADS)
    shop.keeps_out(run)
    assert "ben is in none of the groups that are asked" in shop.waits_for(run)[0]
    shop.says_yes(run, ADA)
    shop.lets_in(run)


def test_an_environment_that_the_configuration_has_no_more_is_guarded_as_a_protected_one(shop: GatedShop) -> None:
    run = shop.automatic()
    shop.services.grant_mode(SHOP, Mode.DELIVERY, OWNER, "not yet")
    shop.restart_with("environments:\n  staging: {}\n")
    shop.built()
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


# Time


def test_a_clock_that_is_set_back_does_not_make_an_expired_yes_count_again(shop: GatedShop) -> None:
    run = shop.at_the_gate("approvals: {count: 1, expires: 1h}")
    shop.frozen(hours=2)
    shop.says_yes(run)
    shop.pass_time(2 * HOUR)
    assert "owner said yes too long ago" in shop.waits_for(run)[0]
    shop.clock.time -= 1.5 * HOUR
    shop.keeps_out(run)
    shop.clock.time += 1.5 * HOUR
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


def test_a_clock_that_is_set_back_into_a_window_opens_nothing(shop: GatedShop) -> None:
    run = shop.at_the_gate('window: {days: [mon], hours: "11:00-11:30", timezone: UTC}')
    shop.says_yes(run)
    shop.keeps_out(run)
    shop.clock.time -= 0.75 * HOUR
    shop.keeps_out(run)
    assert any("the server's clock was set back" in one for one in shop.waits_for(run))
    shop.clock.time += 0.75 * HOUR + 7 * 24 * HOUR - 0.75 * HOUR
    shop.lets_in(run)


def test_a_clock_that_is_set_back_before_a_freeze_opens_nothing(shop: GatedShop) -> None:
    shop.frozen(hours=3, begins_in=1)
    run = shop.at_the_gate()
    shop.pass_time(2 * HOUR)
    shop.says_yes(run)
    shop.keeps_out(run)
    shop.clock.time -= 1.5 * HOUR
    shop.keeps_out(run)
    shop.clock.time += 3.5 * HOUR
    shop.lets_in(run)


def test_a_yes_that_is_taken_back_while_the_clock_is_set_back_stays_taken_back(shop: GatedShop) -> None:
    run = shop.at_the_gate()
    shop.says_yes(run)
    shop.clock.time -= HOUR
    shop.runs.withdraw(run, OWNER)
    shop.keeps_out(run)
    shop.clock.time += 2 * HOUR
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


def test_who_stood_in_for_another_until_now_does_so_no_more_where_the_clock_is_set_back(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.people.set_team("leads", ["ada"], OWNER)
    shop.standing.delegate("ada", "ben", HOUR, None, ADA)
    shop.pass_time(2 * HOUR)
    run = shop.at_the_gate("approvals: {from: [leads]}")
    shop.clock.time -= 1.5 * HOUR
    shop.says_yes(run, BEN)
    shop.clock.time += 2 * HOUR
    shop.keeps_out(run)
    shop.says_yes(run, ADA)
    shop.lets_in(run)


def test_a_no_that_is_said_while_the_clock_is_set_back_closes_the_gate(shop: GatedShop) -> None:
    run = shop.at_the_gate()
    shop.says_yes(run)
    shop.clock.time -= HOUR
    shop.runs.answer(run, Answer.REJECTED, OWNER)
    shop.clock.time += 2 * HOUR
    shop.keeps_out(run)
    assert shop.run(run).status == "rejected"
    shop.runs.retry(run, OWNER)
    shop.lets_in(run)


# Answers from outside


def outside(shop: GatedShop) -> str:
    """A run that waits at the gate for a yes from outside only."""
    shop.knows_secret()
    run = shop.at_the_gate('external: {url: "https://tickets.example.com/x", secret: KEY, timeout: 2h}')
    shop.approved(run, "production")
    return run


def calls_back(shop: GatedShop, run: str, secret: str = SECRET, nonce: str = "") -> tuple[str, str, bytes]:
    asked = shop.asked_of(run)[-1]
    body = json.dumps({"nonce": nonce or asked.nonce, "answer": "approved"}).encode()
    return asked.id, sign(secret, body, shop.clock.now()), body


def test_a_forged_answer_from_outside_opens_nothing(shop: GatedShop) -> None:
    run = outside(shop)
    for forged in (calls_back(shop, run, secret="guessed"), calls_back(shop, run, nonce="another")):
        with pytest.raises(NotSigned):
            shop.asker.take(*forged)
    shop.keeps_out(run)
    shop.asker.take(*calls_back(shop, run))
    shop.lets_in(run)


def test_a_late_answer_from_outside_opens_nothing(shop: GatedShop) -> None:
    run = outside(shop)
    shop.pass_time(2 * HOUR)
    with pytest.raises(Refused):
        shop.asker.take(*calls_back(shop, run))
    shop.keeps_out(run)
    shop.questions.ask_again(run, OWNER)
    shop.settle()
    shop.asker.take(*calls_back(shop, run))
    shop.lets_in(run)


def test_an_answer_from_outside_that_is_sent_once_more_opens_no_later_attempt_and_no_other_run(shop: GatedShop) -> None:
    shop.frozen()
    run = outside(shop)
    first = calls_back(shop, run)
    shop.asker.take(*first)
    shop.keeps_out(run)
    shop.runs.cancel(run, OWNER)
    shop.settle()
    shop.runs.retry(run, OWNER)
    shop.pass_time(HOUR)
    shop.asker.take(first[0], sign(SECRET, first[2], shop.clock.now()), first[2])
    shop.keeps_out(run)
    newer = shop.next_at_the_gate('external: {url: "https://tickets.example.com/x", secret: KEY, timeout: 2h}')
    shop.approved(newer, "production")
    with pytest.raises(NotSigned):
        asked = shop.asked_of(newer)[-1]
        shop.asker.take(asked.id, sign(SECRET, first[2], shop.clock.now()), first[2])
    shop.keeps_out(newer)
    shop.asker.take(*calls_back(shop, newer))
    shop.lets_in(newer)


# People who may not any more


def test_who_stands_in_for_another_no_more_says_yes_for_themselves_only(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.people.set_team("leads", ["ada"], OWNER)
    run = shop.at_the_gate("approvals: {from: [leads]}")
    shop.standing.delegate("ada", "ben", HOUR, None, ADA)
    shop.pass_time(HOUR)
    shop.says_yes(run, BEN)
    shop.keeps_out(run)
    shop.standing.delegate("ada", "ben", HOUR, None, ADA)
    shop.says_yes(run, BEN)
    shop.lets_in(run)


def test_the_yes_of_an_account_that_was_disabled_since_counts_no_more(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.frozen()
    run = shop.at_the_gate()
    shop.says_yes(run, ADA)
    shop.people.disable("ada", "she left", OWNER)
    shop.pass_time(HOUR)
    shop.keeps_out(run)
    assert "ada has no access any more" in shop.waits_for(run)[0]
    shop.says_yes(run, BEN)
    shop.lets_in(run)


def test_who_left_the_team_that_is_asked_counts_no_more(shop: GatedShop) -> None:
    shop.knows(ADA, BEN)
    shop.people.set_team("leads", ["ada"], OWNER)
    shop.frozen()
    run = shop.at_the_gate("approvals: {from: [leads]}")
    shop.says_yes(run, ADA)
    shop.people.set_team("leads", ["ben"], OWNER)
    shop.pass_time(HOUR)
    shop.keeps_out(run)
    shop.says_yes(run, BEN)
    shop.lets_in(run)


# Who opens the gate


def test_a_mode_that_is_taken_back_while_a_run_waits_has_a_person_asked(shop: GatedShop) -> None:
    shop.frozen()
    run = shop.automatic()
    shop.built()
    shop.keeps_out(run)
    shop.services.grant_mode(SHOP, Mode.DELIVERY, OWNER, "it burns")
    shop.pass_time(HOUR)
    shop.keeps_out(run)
    shop.says_yes(run)
    shop.lets_in(run)


@pytest.mark.parametrize(
    ("there", "removed"),
    [
        (", reports: {junit: tests.xml}", ""),
        ("    steps: [{name: smoke, run: make smoke}]\n", "    deploy: {strategy: blue-green}\n"),
        ("    verify: {soak: 0s}\n", ""),
        ("soak: 0s", "soak: 0s, no_data: promote"),
    ],
    ids=["tests", "an earlier stage that proves it", "verification", "rollback"],
)
def test_without_its_foundation_policy_opens_nothing(shop: GatedShop, there: str, removed: str) -> None:
    assert there in AUTOMATIC
    first = shop.automatic()
    shop.built()
    shop.lets_in(first)
    run = shop.pushed(AUTOMATIC.replace(there, removed))
    shop.built()
    shop.keeps_out(run)
    assert "its foundation lacks something" in shop.waits_for(run)[0]
    shop.says_yes(run)
    shop.lets_in(run)


def test_a_paused_service_lets_in_nothing_that_is_approved(shop: GatedShop) -> None:
    run = shop.at_the_gate()
    shop.services.pause(SHOP, OWNER, "a bad day")
    shop.says_yes(run)
    shop.keeps_out(run)
    shop.services.resume(SHOP, OWNER, "a good day")
    shop.lets_in(run)


def test_a_stopped_line_lets_in_nothing_that_is_approved(shop: GatedShop) -> None:
    run = shop.at_the_gate()
    with shop.database.writing() as connection:
        service = queries.known_service(connection, SHOP)
        assert service is not None
        rows.put(connection, replace(service, line_stopped_because="two rollbacks for cause in a row"))
    shop.says_yes(run)
    shop.keeps_out(run)
    asked = shop.placements.deploy(SHOP, "production", shop.label(run), ADA).id
    shop.says_yes(asked)
    shop.keeps_out(asked)
    shop.services.resume(SHOP, OWNER, "go")
    shop.lets_in(run)


def test_a_train_that_is_held_takes_nobody_along_though_its_time_comes(shop: GatedShop) -> None:
    shop.restart(trains={"payments": Train("payments", (SHOP,), EnvironmentName("production"))})
    run = shop.automatic()
    shop.built()
    shop.trains.hold("payments", OWNER, "the bank is closed")
    with pytest.raises(Refused):
        shop.trains.depart("payments", OWNER)
    shop.keeps_out(run)
    asked = shop.placements.deploy(SHOP, "production", shop.label(run), ADA).id
    shop.keeps_out(asked)
    shop.runs.cancel(asked, OWNER)
    shop.trains.resume("payments", OWNER)
    shop.keeps_out(run)
    shop.trains.depart("payments", OWNER)
    shop.lets_in(run)


# Broken glass


def test_glass_that_broke_for_one_stage_opens_no_other(shop: GatedShop) -> None:
    shop.frozen()
    shop.restart_with(SERVER.replace("staging: {}", "staging: {protected: true}"))
    run = shop.added(LEAN)
    shop.built()
    shop.glass.break_glass(run, "the shop is down", EVE)
    shop.settle()
    assert shop.serving(STAGING) == shop.label(run)
    shop.keeps_out(run)
    shop.glass.break_glass(run, "it is still down", EVE)
    shop.lets_in(run)


def test_glass_that_broke_for_one_release_opens_for_no_older_or_newer_one(shop: GatedShop) -> None:
    older = shop.at_the_gate()
    shop.runs.hold(older, OWNER)
    run = shop.next_at_the_gate()
    shop.frozen(hours=10)
    shop.glass.break_glass(run, "the shop is down", EVE)
    shop.lets_in(run)
    newer = shop.next_at_the_gate()
    asked = shop.placements.deploy(SHOP, "production", shop.label(older), ADA).id
    for other in (newer, asked):
        shop.says_yes(other)
        shop.keeps_out(other)
    again = shop.placements.deploy(SHOP, "production", shop.label(newer), ADA).id
    shop.keeps_out(again)
    shop.glass.break_glass(newer, "it is worse", EVE)
    shop.lets_in(newer)


def test_glass_opens_a_gate_once_and_not_again_when_the_run_is_tried_again(shop: GatedShop) -> None:
    shop.lets_in(shop.deployed(LEAN))
    run = shop.next_at_the_gate()
    shop.frozen(hours=10)
    shop.glass.break_glass(run, "the shop is down", EVE)
    shop.settle_until(lambda: "production" in shop.begun(run))
    shop.placements.roll_back(SHOP, "production", OWNER)
    shop.settle_until(lambda: shop.run(run).status == "rolled_back")
    shop.runs.retry(run, ADA)
    shop.settle_over(5)
    assert shop.begun(run).count("production") == 1
    shop.glass.break_glass(run, "it is down once more", EVE)
    shop.lets_in(run)


def test_who_holds_a_run_after_the_glass_broke_is_obeyed(shop: GatedShop) -> None:
    shop.frozen()
    run = shop.at_the_gate()
    shop.glass.break_glass(run, "the shop is down", EVE)
    shop.runs.hold(run, OWNER)
    shop.keeps_out(run)
    shop.runs.resume(run, OWNER)
    shop.lets_in(run)


def test_glass_that_ends_a_hold_lets_go_on_what_the_hold_kept_in_the_middle(shop: GatedShop) -> None:
    run = shop.added(
        LEAN.replace("environment: staging\n", "environment: staging\n    steps: [{name: smoke, run: x}]\n")
    )
    (package,) = shop.leased()
    shop.reports(package)
    shop.settle()
    (smoke,) = shop.leased()
    shop.runs.hold(run, OWNER)
    shop.reports(smoke)
    shop.settle_over(5)
    shop.glass.break_glass(run, "the shop is down", EVE, stage="production")
    shop.lets_in(run)
