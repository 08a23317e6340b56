"""An agent that hands a result over gets with the answer what is ready for it, each step once."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, Shop, holds

from tidegate.engine import known_tests
from tidegate.engine.agents import AgentActs, Said
from tidegate.engine.giving import ON_ITS_WAY, Ask, Poll
from tidegate.engine.refusal import Refusal
from tidegate.model.ids import ServiceName
from tidegate.model.lease import Lease
from tidegate.model.run import Run, RunStatus
from tidegate.model.step_run import StepState
from tidegate.store import queries
from tidegate.store.database import Database

MOMENT = timedelta(seconds=1)
THREE = PLAIN.replace(
    "    - {name: package,",
    "    - {name: lint, run: make lint, needs: [unit tests]}\n    - {name: package,",
)
GROUP = PLAIN.replace("run: make test,", "run: make test, concurrency: {group: lab, limit: 1},")
GROUP_OF_NEXT = THREE.replace("make lint,", "make lint, concurrency: {group: lab, limit: 1},").replace(
    "make package,", "make package, concurrency: {group: lab, limit: 1},"
)


@pytest.fixture
def shop(either_database: Database, tmp_path: Path) -> Shop:
    return Shop(either_database, tmp_path)


def names(leases: tuple[Lease, ...]) -> list[str]:
    return [one.step.name for one in leases]


def waiting(shop: Shop, slots: int = 1, agent: str = "one", held: tuple[Lease, ...] = ()) -> Poll:
    """An agent that asks and found nothing at first."""
    poll = shop.leasing.poll(Ask(agent, slots, [holds(one) for one in held]))
    assert poll.look() == ()
    return poll


def test_the_answer_to_a_result_brings_the_step_that_it_made_ready_and_nobody_else_is_told(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    told = shop.times_told
    (package,) = shop.goes_on(lease)
    assert (package.step.name, package.fence) == ("package", 1)
    assert shop.times_told == told
    assert shop.queue.due == {}, "the run was looked at already"
    assert shop.said()[-3:] == [
        "build: unit tests succeeded",
        "build: package is ready",
        "build: package begins on one",
    ]


@pytest.mark.parametrize(("slots", "given", "told"), [(0, [], 1), (1, ["lint"], 1), (2, ["lint", "package"], 0)])
def test_others_hear_of_what_is_left(shop: Shop, slots: int, given: list[str], told: int) -> None:
    shop.added(THREE)
    (lease,) = shop.leased()
    before = shop.times_told
    assert names(shop.goes_on(lease, slots)) == given
    assert shop.times_told - before == told


def test_others_hear_of_the_end_of_a_step_whose_group_may_go_on_by_it(shop: Shop) -> None:
    shop.added(GROUP)
    (lease,) = shop.leased()
    before = shop.times_told
    assert names(shop.goes_on(lease)) == ["package"]
    assert shop.times_told == before + 1


def test_a_group_at_its_limit_is_kept_to(shop: Shop) -> None:
    shop.added(GROUP_OF_NEXT)
    (lease,) = shop.leased()
    assert names(shop.goes_on(lease, slots=4)) == ["lint"]


def test_a_step_that_its_labels_keep_from_this_agent_is_left_to_others(shop: Shop) -> None:
    shop.added(PLAIN.replace("run: make package,", "run: make package, labels: [gpu],"))
    (lease,) = shop.leased()
    before = shop.times_told
    assert shop.goes_on(lease) == ()
    assert shop.times_told == before + 1
    assert names(shop.leasing.lease("two", 1, (), ["gpu"])) == ["package"]


def test_services_take_turns_as_with_any_other_request(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    shop.clock.time += MOMENT
    service, pushed = shop.commits.describe("/repositories/site", "site")
    shop.services.add(
        replace(service, added_at=shop.clock.now()), replace(pushed, text=PLAIN.replace("shop", "site")), OWNER
    )
    shop.settle()
    shop.clock.time += MOMENT
    (next_one,) = shop.goes_on(lease)
    assert next_one.service == ServiceName("site"), "its step is ready for longer"
    assert names(shop.leased("two")) == ["package"]


def test_a_drained_agent_gets_nothing_with_its_result(shop: Shop) -> None:
    shop.added()
    agents = AgentActs(shop.engine, shop.leasing)
    agents.greet("one", Said(slots=1))
    (lease,) = shop.leased()
    agents.drain("one", OWNER)
    before = shop.times_told
    assert shop.goes_on(lease) == ()
    assert shop.times_told == before + 1


def test_a_removed_agent_gets_nothing(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    assert shop.goes_on(lease, only_known=True) == ()


def test_the_end_of_a_build_makes_its_release(shop: Shop) -> None:
    run = shop.added()
    (lease,) = shop.leased()
    (package,) = shop.goes_on(lease)
    assert shop.goes_on(package) == ()
    assert shop.run(run).release is not None
    shop.settle()
    assert shop.run(run).status is RunStatus.WAITING


def test_the_same_result_again_is_taken_and_brings_what_is_ready_by_then(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    assert shop.reports(lease)
    assert names(shop.goes_on(lease)) == ["package"]
    assert shop.goes_on(lease) == (), "nothing is found lost by a result"


def test_a_result_under_an_old_fence_brings_nothing(shop: Shop) -> None:
    shop.added()
    (old,) = shop.leased()
    shop.leased()
    shop.refuses(lambda: shop.goes_on(old), Refusal.CONFLICT)


def test_a_look_that_fails_loses_no_result(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shop.added()
    (lease,) = shop.leased()

    def _fail(*_: object) -> Run:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(shop.engine, "decide_run", _fail)
        assert shop.goes_on(lease) == ()
    with shop.database.reading() as connection:
        ended = queries.step(connection, lease.step_run)
    assert ended is not None and ended.state is StepState.SUCCEEDED
    assert f"run:{run}" in shop.queue.due
    shop.settle()
    assert names(shop.leased()) == ["package"]


def test_a_step_that_cannot_be_given_loses_no_result_and_is_given_to_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.added()
    (lease,) = shop.leased()

    def _fail(*_: object) -> Lease:
        raise ZeroDivisionError

    with monkeypatch.context() as broken, contextlib.suppress(ZeroDivisionError):
        broken.setattr(known_tests, "handed_with", _fail)  # the last that is asked before a lease is made
        assert shop.goes_on(lease) == ()
    with shop.database.reading() as connection:
        ended = queries.step(connection, lease.step_run)
    assert ended is not None and ended.state is StepState.SUCCEEDED
    shop.settle()
    (package,) = shop.leased()
    assert (package.step.name, package.fence) == ("package", 1)


def test_a_step_that_came_with_an_answer_is_not_taken_for_lost_by_a_request_that_crossed_it(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    (package,) = shop.goes_on(lease)
    crossed = shop.leasing.poll(Ask("one", 1, ()))
    assert crossed.look() == ()
    assert crossed.is_uncertain
    shop.clock.time += ON_ITS_WAY
    assert crossed.look() == (), "a request finds that out when it arrives, and never later"
    (again,) = shop.leased()
    assert (again.step_run, again.fence) == (package.step_run, package.fence + 1)


def test_a_server_that_was_started_again_takes_it_for_lost_at_once(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    (package,) = shop.goes_on(lease)
    shop.restart()
    (again,) = shop.leased()
    assert (again.step_run, again.fence) == (package.step_run, package.fence + 1)


def test_what_is_leased_again_is_on_its_way_under_its_new_fence_no_more(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    shop.goes_on(lease)
    shop.clock.time += ON_ITS_WAY
    (again,) = shop.leased()
    (once_more,) = shop.leased()
    assert once_more.fence == again.fence + 1


def test_a_request_that_waits_leases_nothing_again_that_came_with_an_answer_meanwhile(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    poll = waiting(shop, 3, held=(lease,))
    shop.goes_on(lease)
    shop.clock.time += 10 * ON_ITS_WAY
    assert poll.look() == ()


def test_a_request_that_waits_does_not_fill_a_slot_that_an_answer_has_filled(shop: Shop) -> None:
    """Two slots, one of them free when the agent began to wait: the answer fills both."""
    shop.added(THREE)
    (lease,) = shop.leased()
    poll = waiting(shop, 1, held=(lease,))
    lint, package = shop.goes_on(lease, slots=2)
    shop.pushed()
    assert poll.look() == ()
    shop.reports(lint)
    shop.reports(package)
    assert names(poll.look()) == ["unit tests"]


def test_what_the_agent_still_ends_fills_a_slot_that_the_server_knows_nothing_of(shop: Shop) -> None:
    """Three slots: in one of them is a step that was given up here."""
    shop.added(THREE)
    (lease,) = shop.leased()
    stranger = replace(holds(lease), attempt=7)
    poll = shop.leasing.poll(Ask("one", 1, [stranger, holds(lease)]))
    assert poll.look() == ()
    assert names(shop.goes_on(lease, held=(stranger,))) == ["lint"]
    assert names(poll.look()) == ["package"], "the request was told of one slot that is free besides these two"
    assert poll.look() == ()


def test_an_agent_with_a_result_and_a_request_at_once_is_given_no_more_than_its_slots(shop: Shop) -> None:
    shop.added(THREE)
    (lease,) = shop.leased()
    poll = waiting(shop, 1, held=(lease,))
    assert names(shop.goes_on(lease, slots=1)) == ["lint"]
    assert names(poll.look()) == ["package"]
    shop.pushed()
    assert poll.look() == ()
