"""Agents that ask while somebody else changes the same step: they wait for that, and go by what has become of it.

One transaction holds the step and has changed it; an agent's request comes in meanwhile; only then the first commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.engine.shop import SHOP, Shop, holds, report

from tidegate.engine.giving import Ask
from tidegate.engine.leasing import Renewal
from tidegate.engine.refusal import Refused
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease
from tidegate.model.step_progress import reset_step
from tidegate.model.step_run import StepRun, StepState
from tidegate.store import queries, rows
from tidegate.store.database import Database

LIMIT_SECONDS = 60.0


@pytest.fixture
def shop(either_database: Database, tmp_path: Path) -> Shop:
    found = Shop(either_database, tmp_path)
    found.added()
    return found


def meanwhile(shop: Shop, change: Callable[[StepRun], StepRun], act: Callable[[], object]) -> object:
    """What `act` gives (or how it is refused) that begins before a change of the first step is committed."""
    with ThreadPoolExecutor(1) as pool:
        with shop.database.writing() as connection:
            shop.database.lock_service(connection, SHOP)
            rows.put(connection, change(first_step(shop)))
            asked = pool.submit(act)
            wait_until_it_waits(shop.database, asked)
        try:
            return asked.result(LIMIT_SECONDS)
        except Refused as refused:
            return refused


def wait_until_it_waits(database: Database, asked: Future[object]) -> None:
    """Until Postgres says that somebody waits for a lock; a second writer of SQLite always does."""
    pause, rounds = threading.Event(), int(LIMIT_SECONDS / 0.02)
    for _ in range(0 if database.is_sqlite else rounds):
        with database.reading() as connection:
            waiting = connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar()
        if waiting or asked.done():
            return
        pause.wait(0.02)


def first_step(shop: Shop) -> StepRun:
    with shop.database.reading() as connection:
        found = min(rows.every(connection, StepRun), key=lambda step: step.position)
        assert queries.step(connection, found.id) == found
    return found


def leased(shop: Shop) -> Lease:
    (lease,) = shop.leased("one")
    return lease


def succeeded(shop: Shop) -> Callable[[StepRun], StepRun]:
    return lambda step: replace(step, state=StepState.SUCCEEDED, report=report(shop.clock.now()))


def test_a_step_that_another_agent_just_took_is_not_given_away_again(shop: Shop) -> None:
    others = meanwhile(
        shop, lambda step: replace(step, state=StepState.RUNNING, fence=1, agent="other"), lambda: shop.leased("two")
    )
    assert others == ()
    assert first_step(shop).agent == "other"


def test_a_step_that_was_just_cancelled_is_not_given_away(shop: Shop) -> None:
    cancelled = meanwhile(shop, lambda step: replace(step, state=StepState.CANCELLED), lambda: shop.leased("two"))
    assert cancelled == ()
    assert first_step(shop).state is StepState.CANCELLED


def test_who_finds_a_step_taken_gets_another_one_that_is_ready(shop: Shop) -> None:
    shop.clock.time += timedelta(seconds=1)
    newer = shop.pushed()
    found = meanwhile(
        shop, lambda step: replace(step, state=StepState.RUNNING, fence=1, agent="other"), lambda: shop.leased("two")
    )
    assert isinstance(found, tuple)
    assert [lease.run for lease in found] == [newer]


def test_a_result_that_just_came_is_not_undone_by_a_renewal(shop: Shop) -> None:
    lease = leased(shop)
    renewed = meanwhile(shop, succeeded(shop), lambda: shop.leasing.renew("one", [holds(lease)]))
    assert renewed == Renewal(cancel=(), refused=(lease.step_run,))
    assert first_step(shop).state is StepState.SUCCEEDED


def test_a_wish_to_cancel_that_was_just_recorded_is_told_with_the_renewal(shop: Shop) -> None:
    lease = leased(shop)
    renewed = meanwhile(
        shop, lambda step: replace(step, cancel_asked=True), lambda: shop.leasing.renew("one", [holds(lease)])
    )
    assert renewed == Renewal(cancel=(lease.step_run,), refused=())
    assert first_step(shop).cancel_asked


def test_a_result_of_an_attempt_that_was_just_given_up_is_refused(shop: Shop) -> None:
    lease = leased(shop)
    refused = meanwhile(
        shop,
        lambda step: replace(reset_step(step), state=StepState.READY),
        lambda: shop.leasing.report(holds(lease), report(shop.clock.now())),
    )
    assert str(refused) == f"the lease of {lease.step_run} is no longer yours"
    assert (first_step(shop).state, first_step(shop).attempt) == (StepState.READY, 2)


def test_a_step_whose_result_just_came_is_not_given_up_as_lost(shop: Shop) -> None:
    leased(shop)
    shop.clock.time += timedelta(days=1)
    meanwhile(shop, succeeded(shop), shop.leasing.end_lost)
    assert first_step(shop).state is StepState.SUCCEEDED
    assert not [said for said in shop.said() if "silent" in said]


def test_many_agents_that_ask_at_once_share_the_ready_steps(shop: Shop) -> None:
    for _ in range(5):
        shop.pushed()
    together = threading.Barrier(4, timeout=LIMIT_SECONDS)

    def _ask(agent: int) -> list[StepRunId]:
        together.wait()
        return [lease.step_run for lease in shop.leased(f"agent {agent}", slots=3)]

    with ThreadPoolExecutor(4) as pool:
        given = [step for steps in pool.map(_ask, range(4)) for step in steps]
    assert len(given) == len(set(given)) == 6


def test_an_agent_whose_results_and_request_come_at_once_gets_no_more_than_it_has_room_for(shop: Shop) -> None:
    """Three slots: each result says that its own and the free one are, and the request that the free one is."""
    shop.pushed()
    one, other = shop.leased("one", slots=2)
    together = threading.Barrier(3, timeout=LIMIT_SECONDS)
    poll = shop.leasing.poll(Ask("one", 1, [holds(one), holds(other)]))
    assert poll.look() == ()
    for _ in range(6):
        shop.pushed()

    def _hand_over(ended: Lease, still: Lease) -> int:
        together.wait()
        return len(shop.goes_on(ended, 2, (holds(still),)))

    def _ask() -> int:
        together.wait()
        return len(poll.look())

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(_hand_over, one, other), pool.submit(_hand_over, other, one), pool.submit(_ask)]
        given = sum(future.result(LIMIT_SECONDS) for future in asked)
    with shop.database.reading() as connection:
        assert len(queries.steps_of_agent(connection, "one")) == given == 3
