"""What an agent may begin by itself: it is its own where the run still wants it, and nobody else ever gets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, Shop, holds, report

from tidegate.engine.agents import AgentActs, Said
from tidegate.engine.giving import Ask, Held
from tidegate.engine.leasing import Next, Renewal
from tidegate.model.lease import Lease, StepOutcome
from tidegate.model.run import RunStatus
from tidegate.model.step_run import StepState
from tidegate.store import queries
from tidegate.store.database import Database

CHAIN = PLAIN.replace(
    "    - {name: package, run: make package, needs: [unit tests]}",
    "    - {name: lint, run: make lint, needs: [unit tests]}\n"
    "    - {name: docs, run: make docs, needs: [lint]}\n"
    "    - {name: package, run: make package, needs: [docs]}",
)


@pytest.fixture
def shop(either_database: Database, tmp_path: Path) -> Shop:
    return Shop(either_database, tmp_path)


def ends(
    shop: Shop,
    lease: Lease,
    *began: Lease,
    outcome: StepOutcome = StepOutcome.SUCCEEDED,
    agent: str = "one",
    slots: int = 0,
) -> Next:
    """An agent reports a step, and says what it began by itself."""
    held = [holds(one) for one in began]
    ask = Ask(agent, slots if began else 1, held, began=held)
    return shop.leasing.report_and_ask(holds(lease), report(shop.clock.now(), outcome), ask)


def promised(answer: Next) -> Lease:
    (promise,) = answer.promises
    return promise.lease


def state_of(shop: Shop, lease: Lease) -> StepState:
    with shop.database.reading() as connection:
        step = queries.step(connection, lease.step_run)
    assert step
    return step.state


@pytest.fixture
def chain(shop: Shop) -> tuple[Lease, Lease]:
    """The step that runs, and what may begin after it."""
    shop.added(CHAIN)
    (tests,) = shop.leased()
    answer = ends(shop, tests)
    (lint,) = answer.leases
    return lint, promised(answer)


def test_a_chain_is_promised_one_step_after_another(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    assert (lint.step.name, docs.step.name, docs.fence) == ("lint", "docs", 1)
    answer = ends(shop, lint, docs)
    assert (answer.leases, answer.began) == ((), (holds(docs),))
    assert promised(answer).step.name == "package"
    assert shop.said()[-3:] == ["build: lint succeeded", "build: docs is ready", "build: docs begins on one"]
    assert shop.leasing.renew("one", [holds(docs)]) == Renewal((), ())


def test_nobody_else_gets_what_an_agent_began_by_itself(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    told = shop.times_told
    ends(shop, lint, docs)
    assert shop.times_told == told
    assert shop.leased("two", 4) == ()
    assert shop.leased("one", 4, (holds(docs),)) == ()


def test_the_same_result_again_confirms_it_again(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    ends(shop, lint, docs)
    assert ends(shop, lint, docs).began == (holds(docs),)
    (package,) = ends(shop, docs).leases
    assert ends(shop, lint, docs).began == (holds(docs),), "it was its own, and what follows it is told with its result"
    assert ends(shop, docs, package).began == (holds(package),)


def test_a_cancelled_run_wants_it_no_more(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    shop.runs.cancel(lint.run, OWNER)
    shop.settle()
    assert ends(shop, lint, docs) == Next()
    assert state_of(shop, docs) is StepState.CANCELLED
    assert shop.run(lint.run).status is RunStatus.CANCELLED


def test_after_a_failure_it_is_nobodys(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    assert ends(shop, lint, docs, outcome=StepOutcome.FAILED).began == ()
    assert state_of(shop, docs) is StepState.SKIPPED


def test_it_is_its_own_also_where_the_agent_is_drained_meanwhile_and_nothing_more_is_promised(
    shop: Shop, chain: tuple[Lease, Lease]
) -> None:
    lint, docs = chain
    agents = AgentActs(shop.engine, shop.leasing)
    agents.greet("one", Said(slots=1))
    agents.drain("one", OWNER)
    assert ends(shop, lint, docs) == Next(began=(holds(docs),))


@pytest.mark.parametrize("wrong", [{"fence": 2}, {"attempt": 2}])
def test_what_was_not_promised_so_is_not_its_own(shop: Shop, chain: tuple[Lease, Lease], wrong: dict[str, int]) -> None:
    lint, docs = chain
    assert ends(shop, lint, replace(docs, **wrong)).began == ()  # type: ignore[arg-type]


def test_a_step_of_another_agent_is_not_its_own(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    assert shop.leasing.report(holds(lint), report(shop.clock.now()))
    shop.settle()
    (given,) = shop.leased("two")
    assert holds(given) == holds(docs)
    assert ends(shop, lint, docs).began == ()


def test_what_a_removed_agent_began_is_nobodys(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    agents = AgentActs(shop.engine, shop.leasing)
    agents.greet("one", Said(slots=1))
    agents.remove("one", OWNER)
    shop.settle()
    assert ends(shop, lint, docs).began == ()
    assert state_of(shop, docs) is StepState.SKIPPED


def test_while_others_wait_nothing_is_promised(shop: Shop) -> None:
    shop.added(CHAIN)
    (tests,) = shop.leased()
    shop.pushed(CHAIN)
    answer = ends(shop, tests)
    assert (len(answer.leases), answer.promises) == (1, ())


def test_what_others_wait_for_that_this_agent_could_not_run_keeps_no_promise(shop: Shop) -> None:
    shop.added(CHAIN)
    (tests,) = shop.leased()
    shop.pushed(CHAIN.replace("run: make test,", "run: make test, labels: [gpu],"))
    assert promised(ends(shop, tests)).step.name == "docs"


def test_a_step_for_other_agents_is_not_promised(shop: Shop) -> None:
    shop.added(CHAIN.replace("run: make docs,", "run: make docs, labels: [gpu],"))
    (tests,) = shop.leased()
    assert ends(shop, tests).promises == ()


def test_an_agent_that_knows_nothing_of_promises_gets_none(shop: Shop) -> None:
    shop.added(CHAIN)
    (tests,) = shop.leased()
    answer = shop.leasing.report_and_ask(holds(tests), report(shop.clock.now()), Ask("one", 1, ()))
    assert (len(answer.leases), answer.promises) == (1, ())


def test_one_that_was_over_before_the_server_heard_of_it_took_no_time(shop: Shop, chain: tuple[Lease, Lease]) -> None:
    lint, docs = chain
    over = report(shop.clock.now())
    shop.clock.time += timedelta(seconds=1)
    ends(shop, lint, docs)
    shop.leasing.report(holds(docs), over)
    with shop.database.reading() as connection:
        step = queries.step(connection, docs.step_run)
    assert step
    assert step.began_at == step.ended_at == shop.clock.now()


def test_a_step_in_a_group_cannot_be_had_so(shop: Shop) -> None:
    shop.added(CHAIN.replace("run: make lint,", "run: make lint, concurrency: {group: lab, limit: 1},"))
    (tests,) = shop.leased()
    with shop.database.reading() as connection:
        (lint,) = (one for one in queries.steps(connection, tests.run) if one.name == "lint")
    began = [Held(lint.id, 1, 1)]
    answer = shop.leasing.report_and_ask(holds(tests), report(shop.clock.now()), Ask("one", 0, began, began=began))
    assert answer.began == ()
