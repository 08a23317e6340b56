"""People, and the engine, at one gate at the same moment: whoever comes first, the rest go by what has become of it.

The service's rows are held until all have begun, and are waiting for them; then they go on, one after another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.engine.gated_shop import ADA, BEN, EVE, HOUR, GatedShop
from tests.integration.engine.shop import PRODUCTION, SHOP

from tidegate.engine.refusal import Refused
from tidegate.model import decide_gate, run_stages
from tidegate.model.actor import Actor
from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.gate import GateDecision
from tidegate.model.gate_question import GateQuestion
from tidegate.model.rollout import Rollout
from tidegate.model.run import RunStatus
from tidegate.store import events, queries, rows
from tidegate.store.database import Database

LIMIT_SECONDS = 60.0
TWO, ONE = "approvals: {count: 2}", "approvals: {count: 1}"

Act = Callable[[], object]


@pytest.fixture
def shop(either_database: Database, tmp_path: Path) -> GatedShop:
    return GatedShop(either_database, tmp_path)


def at_once(shop: GatedShop, *acts: Act) -> list[object]:
    """What each gave, or how it was refused."""
    with ThreadPoolExecutor(len(acts)) as pool:
        with shop.database.writing() as connection:
            shop.database.lock_service(connection, SHOP)
            asked = list[Future[object]]()
            for act in acts:
                asked.append(pool.submit(act))
                _wait_until_all_wait(shop.database, asked)
        return [_outcome(one) for one in asked]


def _wait_until_all_wait(database: Database, asked: list[Future[object]]) -> None:
    """Until Postgres says that they wait for a lock; a second writer of SQLite always does."""
    pause, rounds = threading.Event(), int(LIMIT_SECONDS / 0.01)
    for _ in range(0 if database.is_sqlite else rounds):
        with database.reading() as connection:
            waiting = connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar() or 0
        if waiting >= sum(not one.done() for one in asked):
            return
        pause.wait(0.01)


def _outcome(asked: Future[object]) -> object:
    try:
        return asked.result(LIMIT_SECONDS)
    except Refused as refused:
        return refused


def yes(shop: GatedShop, run: str, who: Actor) -> Act:
    return lambda: shop.says_yes(run, who)


def no(shop: GatedShop, run: str, who: Actor) -> Act:
    return lambda: shop.runs.answer(run, Answer.REJECTED, who, stage="production")


def takes_back(shop: GatedShop, run: str, who: Actor) -> Act:
    return lambda: shop.runs.withdraw(run, who, stage="production")


def look(shop: GatedShop, run: str) -> Act:
    return lambda: shop.engine.look(f"run:{run}")


def words(shop: GatedShop, run: str) -> list[tuple[str, Answer]]:
    with shop.database.reading() as connection:
        return [(one.actor.name, one.answer) for one in queries.approvals(connection, run)]


def begun(shop: GatedShop) -> list[Rollout]:
    """Every rollout in production that there ever was; the record has begun as many."""
    with shop.database.reading() as connection:
        found = [one for one in rows.every(connection, Rollout) if one.placement == PRODUCTION]
        told = events.since(connection, 0, limit=100_000)
    began = [one for one in told if one.event.kind is EventKind.ROLLOUT_BEGAN]
    assert len(found) == sum(one.event.about["environment"] == "production" for one in began)
    return found


def test_two_who_say_yes_at_once_are_two_and_let_it_in_once(shop: GatedShop) -> None:
    run = shop.at_the_gate(TWO)
    assert not any(isinstance(one, Refused) for one in at_once(shop, yes(shop, run, ADA), yes(shop, run, BEN)))
    at_once(shop, look(shop, run), look(shop, run), look(shop, run))
    shop.lets_in(run)
    assert sorted(words(shop, run)) == [("ada", Answer.APPROVED), ("ben", Answer.APPROVED)]
    assert len(begun(shop)) == 1


def test_who_says_yes_twice_at_once_is_counted_once(shop: GatedShop) -> None:
    run = shop.at_the_gate(TWO)
    at_once(shop, yes(shop, run, ADA), look(shop, run), yes(shop, run, ADA), look(shop, run))
    shop.keeps_out(run)
    at_once(shop, look(shop, run), yes(shop, run, BEN), look(shop, run))
    shop.lets_in(run)
    assert len(begun(shop)) == 1


def test_where_one_yes_is_enough_the_second_finds_it_begun_or_is_kept_beside_it(shop: GatedShop) -> None:
    run = shop.at_the_gate(ONE)
    _, first, _, second = at_once(shop, look(shop, run), yes(shop, run, ADA), look(shop, run), yes(shop, run, BEN))
    said = words(shop, run)
    assert len(said) == 2 - isinstance(first, Refused) - isinstance(second, Refused)
    shop.lets_in(run)
    assert len(begun(shop)) == 1
    assert words(shop, run) == said


def test_a_yes_and_a_word_taken_back_at_once_let_nobody_in_on_the_word_that_is_gone(shop: GatedShop) -> None:
    run = shop.at_the_gate(TWO)
    for first in ("yes", "taken back"):
        shop.says_yes(run, ADA)
        racing = [yes(shop, run, BEN), look(shop, run), takes_back(shop, run, ADA), look(shop, run)]
        told = at_once(shop, *(racing if first == "yes" else racing[2:] + racing[:2]))
        too_late = any(isinstance(one, Refused) for one in told)
        assert too_late == ("production" in shop.begun(run)), told
        assert too_late == (("ada", Answer.WITHDRAWN) not in words(shop, run)), told
        run = shop.next_at_the_gate(TWO)


def test_a_yes_and_a_no_at_once_either_begin_or_end_the_run_and_never_both(shop: GatedShop) -> None:
    run = shop.at_the_gate(ONE)
    for first in ("yes", "no"):
        racing = [yes(shop, run, ADA), look(shop, run), no(shop, run, BEN), look(shop, run)]
        told = at_once(shop, *(racing if first == "yes" else racing[2:] + racing[:2]))
        shop.settle()
        has_begun = "production" in shop.begun(run)
        assert has_begun == (("ben", Answer.REJECTED) not in words(shop, run)), told
        assert has_begun == (shop.run(run).status is not RunStatus.REJECTED), told
        run = shop.next_at_the_gate(ONE)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(takes_back, "has begun, and a yes is taken back only before", id="taken back"),
        pytest.param(no, "asks nobody now", id="no"),
    ],
)
def test_what_is_said_while_the_engine_lets_the_run_in_is_told_that_it_is_too_late(
    shop: GatedShop, act: Callable[[GatedShop, str, Actor], Act], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the look, or the look for it: never both have it their way."""
    run = shop.at_the_gate(ONE)
    shop.says_yes(run, ADA)
    asked = list[Future[object]]()
    with ThreadPoolExecutor(1) as pool:

        def decide(question: GateQuestion, now: datetime) -> GateDecision:
            if not asked:
                asked.append(pool.submit(act(shop, run, ADA)))
                _wait_until_all_wait(shop.database, asked)
            return decide_gate.decide_gate(question, now)

        monkeypatch.setattr(run_stages, "decide_gate", decide)
        shop.engine.look(f"run:{run}")
    assert told in str(_outcome(asked[0]))
    shop.lets_in(run)
    assert words(shop, run) == [("ada", Answer.APPROVED)]


def test_two_deployments_at_once_both_ask_and_one_is_under_way_at_a_time(shop: GatedShop) -> None:
    shop.at_the_gate(ONE)
    label = shop.label(shop.next_at_the_gate(ONE))
    deploy = [lambda who=who: shop.placements.deploy(SHOP, "production", label, who).id for who in (ADA, BEN)]
    asked = [str(one) for one in at_once(shop, *deploy)]
    shop.settle()
    assert len(set(asked)) == 2
    for run in asked:
        shop.keeps_out(run)
    at_once(shop, *(yes(shop, run, EVE) for run in asked))
    at_once(shop, *(look(shop, run) for run in asked * 2))
    assert sum(one.state.owns_placement for one in begun(shop)) == 1
    shop.pass_time(HOUR)
    assert sum(not one.state.is_ended and one.state.owns_placement for one in begun(shop)) <= 1
    assert shop.serving() == label


def test_of_two_who_change_a_run_at_once_neither_undoes_what_the_other_did(shop: GatedShop) -> None:
    run = shop.at_the_gate(ONE)
    at_once(shop, lambda: shop.runs.hold(run, ADA), lambda: shop.runs.cancel(run, BEN))
    assert (shop.run(run).held_by, shop.run(run).cancel_asked_by) == ("ada", "ben")
