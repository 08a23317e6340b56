"""Agents and their leases: a step is one agent's at a time, and whoever lost it changes nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, SHOP, Shop, holds, report

from tidegate.engine.giving import Held
from tidegate.engine.leasing import LOST_AFTER_TIMEOUT, Renewal
from tidegate.engine.refusal import Refusal
from tidegate.model.ids import RunId, StepRunId
from tidegate.model.lease import Lease, LogLine, StepOutcome
from tidegate.model.run import RunStatus
from tidegate.model.step_run import AttemptId, StepRun, StepState
from tidegate.store import queries

TIMEOUT = timedelta(minutes=10)
MOMENT = timedelta(seconds=1)
NO_RETRY = PLAIN.replace(", retry: {attempts: 2, causes: [lost]}", "")
STAGE_STEP = PLAIN.replace(
    "    deploy: {strategy: blue-green}\n  - name: production",
    "    deploy: {strategy: blue-green}\n    steps: [{name: look, run: curl $TIDEGATE_URL}]\n  - name: production",
)


def step_of(shop: Shop, lease: Lease) -> StepRun:
    with shop.database.reading() as connection:
        found = queries.step(connection, lease.step_run)
    assert found is not None
    return found


def fails(shop: Shop, held: Held) -> None:
    shop.leasing.report(held, report(shop.clock.now(), StepOutcome.FAILED, "late"))


def writes(shop: Shop, held: Held) -> None:
    shop.leasing.append_log(held, 0, [LogLine(shop.clock.now(), "late")])


LATE_ACTS = pytest.mark.parametrize("act", [fails, writes])


def test_the_longest_ready_step_is_leased_first_and_no_more_than_there_is_room_for(shop: Shop) -> None:
    runs = [shop.added()]
    for _ in range(3):
        shop.clock.time += MOMENT
        runs.append(shop.pushed())
    assert [lease.run for lease in shop.leased(slots=3)] == runs[:3]
    assert [lease.run for lease in shop.leased("two", slots=3)] == runs[3:]
    assert shop.leased("three", slots=3) == ()
    assert shop.leased("four", slots=0) == ()


def test_what_an_agent_never_heard_of_is_leased_to_it_again_under_a_higher_fence(shop: Shop) -> None:
    shop.added()
    (unheard,) = shop.leased()
    (again,) = shop.leased()
    assert (again.step_run, again.attempt) == (unheard.step_run, unheard.attempt)
    assert again.fence == unheard.fence + 1
    assert shop.said().count("build: unit tests begins on one") == 1


def test_what_an_agent_names_as_its_own_is_not_leased_again(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    assert shop.leased(held=(holds(lease),)) == ()


def test_a_step_that_runs_is_given_to_no_other_agent(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased("one")
    shop.clock.time += 10 * TIMEOUT
    assert shop.leased("two") == ()
    assert step_of(shop, lease).agent == "one"


@LATE_ACTS
def test_who_holds_an_old_fence_is_refused_and_changes_nothing(shop: Shop, act: Callable[[Shop, Held], None]) -> None:
    run = shop.added()
    (old,) = shop.leased()
    (new,) = shop.leased()
    refused = shop.refuses(lambda: act(shop, holds(old)), Refusal.CONFLICT)
    assert str(refused) == f"the lease of {old.step_run} is no longer yours"
    assert shop.logs.read(AttemptId(RunId(run), old.step_run, 1)) == ()
    assert shop.leasing.renew("one", [holds(old)]) == Renewal(cancel=(), refused=(old.step_run,))
    assert shop.reports(new)
    assert step_of(shop, new).state is StepState.SUCCEEDED
    shop.refuses(lambda: act(shop, holds(old)), Refusal.CONFLICT)


@LATE_ACTS
def test_a_step_that_nobody_knows_is_said_to_be_unknown(shop: Shop, act: Callable[[Shop, Held], None]) -> None:
    shop.added()
    held = Held(StepRunId("nobodys"), 1, 1)
    assert "nobodys" in str(shop.refuses(lambda: act(shop, held), Refusal.NOT_FOUND))
    assert shop.leasing.renew("one", [held]).refused == ("nobodys",)


def test_the_same_result_again_is_taken_and_changes_nothing(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    assert shop.reports(lease)
    before = shop.rows()
    assert shop.reports(lease)
    assert shop.leasing.report(holds(lease), report(shop.clock.now(), StepOutcome.FAILED, "another")) is True
    assert shop.rows() == before


def test_a_silent_agents_step_is_lost_only_long_after_its_own_time_is_over(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    shop.clock.time += TIMEOUT + LOST_AFTER_TIMEOUT
    shop.leasing.end_lost()
    assert step_of(shop, lease).state is StepState.RUNNING
    shop.clock.time += MOMENT
    shop.leasing.end_lost()
    assert step_of(shop, lease).state is StepState.LOST
    assert any("agent one has been silent since" in text for text in shop.said())


def test_an_agent_that_says_that_a_step_goes_on_keeps_it_however_long_it_takes(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased()
    shop.clock.time += 10 * TIMEOUT
    assert shop.leasing.renew("one", [holds(lease)]) == Renewal(cancel=(), refused=())
    shop.leasing.end_lost()
    assert step_of(shop, lease).state is StepState.RUNNING


def lost(shop: Shop) -> Lease:
    """A step that was given up because its agent was silent for too long."""
    (lease,) = shop.leased()
    shop.clock.time += TIMEOUT + LOST_AFTER_TIMEOUT + MOMENT
    shop.leasing.end_lost()
    return lease


def test_a_late_result_of_a_lost_step_does_not_bring_it_back(shop: Shop) -> None:
    shop.added(NO_RETRY)
    lease = lost(shop)
    assert shop.reports(lease)
    assert step_of(shop, lease).state is StepState.LOST


@LATE_ACTS
def test_a_lost_step_is_tried_again_where_its_file_says_so_and_its_late_agent_is_refused(
    shop: Shop, act: Callable[[Shop, Held], None]
) -> None:
    run = shop.added()
    late = lost(shop)
    shop.settle()
    (again,) = shop.leased("two")
    assert (again.step_run, again.attempt) == (late.step_run, 2)
    assert again.fence > late.fence
    shop.refuses(lambda: act(shop, holds(late)), Refusal.CONFLICT)
    assert shop.leasing.renew("one", [holds(late)]).refused == (late.step_run,)
    assert shop.reports(again)
    shop.built()
    assert shop.run(run).release is not None


def test_a_lost_step_fails_its_run_where_its_file_says_nothing_of_it(shop: Shop) -> None:
    run = shop.added(NO_RETRY)
    lost(shop)
    shop.settle()
    ended = shop.run(run)
    assert ended.status is RunStatus.FAILED
    assert "unit tests lost" in str(ended.because[0])


def test_a_step_of_a_cancelled_run_is_to_be_ended_and_none_of_it_is_leased_any_more(shop: Shop) -> None:
    run = shop.added()
    (lease,) = shop.leased()
    shop.runs.cancel(run, OWNER)
    shop.settle()
    assert shop.leasing.renew("one", [holds(lease)]) == Renewal(cancel=(lease.step_run,), refused=())
    assert shop.reports(lease, StepOutcome.CANCELLED)
    assert shop.leased() == ()
    assert shop.run(run).status is RunStatus.CANCELLED


def test_an_agent_that_goes_on_under_another_name_is_known_by_that_from_then_on(shop: Shop) -> None:
    shop.added()
    (lease,) = shop.leased("one")
    shop.leasing.renew("one again", [holds(lease)])
    assert step_of(shop, lease).agent == "one again"
    assert shop.leased("one") == ()


def test_lines_of_a_log_are_kept_once_under_the_attempt_that_wrote_them(shop: Shop) -> None:
    run = shop.added()
    (lease,) = shop.leased()
    lines = [LogLine(shop.clock.now(), text) for text in ("one", "two", "three")]
    assert shop.leasing.append_log(holds(lease), 0, lines[:2]) == 2
    assert shop.leasing.append_log(holds(lease), 1, lines[1:]) == 3
    shop.reports(lease)
    assert shop.leasing.append_log(holds(lease), 3, lines[:1]) == 4, "what was on its way when the step ended"
    assert [line.text for line in shop.logs.read(AttemptId(RunId(run), lease.step_run, 1))] == [
        "one",
        "two",
        "three",
        "one",
    ]


def test_a_build_knows_of_no_environment_and_a_stages_step_finds_where_it_was_deployed(shop: Shop) -> None:
    run = shop.added(STAGE_STEP)
    (build,) = shop.leased()
    assert not {"TIDEGATE_URL", "TIDEGATE_ENVIRONMENT", "TIDEGATE_STAGE"} & build.env.keys()
    assert shop.reports(build)
    (package,) = shop.leased()
    assert shop.reports(package)
    (look,) = shop.leased()
    port = next(row["port"] for row in shop.rows()["placement"] if row["id"] == "shop/staging")
    assert (look.scope, look.step.name) == ("staging", "look")
    assert look.env["TIDEGATE_URL"] == f"http://127.0.0.1:{port}"
    assert look.env["TIDEGATE_RELEASE"] == shop.run(run).release
    assert look.source == "/repositories/shop"
    assert look.commit == shop.run(run).change.commit


def test_a_removed_service_is_leased_no_more(shop: Shop) -> None:
    shop.added()
    shop.services.remove(SHOP, OWNER)
    shop.settle()
    assert shop.leased() == ()
