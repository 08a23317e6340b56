"""Checks and a load check from their leases to the gate that asks for them, on the real store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, STAGING, Shop, holds, report

from tidegate.engine.gate_evidence import look_at_gate
from tidegate.engine.synthetic import wanted_traffic
from tidegate.model.lease import Lease, StepOutcome, StepReport
from tidegate.model.load import LoadReport, LoadStep
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.traffic import Span, Traffic
from tidegate.store import queries, rows
from tidegate.store.database import Database

HOUR = timedelta(hours=1)
VERIFY = (
    "verify: {traffic: {rate: 5/s}, checks: [{name: order, run: ./order.sh, every: 30s}], "
    "load: {path: /basket, multiple: 2, at_least: 20/s}}"
)
POLICY = "gate: {approvals: {count: 1}, policy: stages.staging.load.multiple >= 2.0}"
BLUE_GREEN = "deploy: {strategy: blue-green}"
CHECKED = PLAIN.replace(BLUE_GREEN, f"{BLUE_GREEN}\n    {VERIFY}", 1).replace("gate: {approvals: {count: 1}}", POLICY)


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> Shop:
    """Production was asked 1,500 requests in its busiest minute; a first release is in staging, and nothing speaks
    against it."""
    shop = Shop(sqlite, tmp_path)
    with shop.database.writing() as connection:
        busy = Traffic(PRODUCTION, Span.HOUR, shop.clock.now() - 50 * HOUR, 40_000, 0, busiest=1500)
        rows.put(connection, busy)
    shop.added(CHECKED)
    for _ in range(2):
        (lease,) = shop.leased()
        assert shop.reports(lease)
    return shop


def next_lease(shop: Shop, name: str) -> Lease:
    found: list[Lease] = []

    def is_there() -> bool:
        found.extend(shop.leased(slots=2))
        return any(one.step.name == name for one in found)

    shop.settle_until(is_there)
    return next(one for one in found if one.step.name == name)


def loaded(held: float, lease: Lease) -> LoadReport:
    """A ramp of which that rate was held."""
    assert lease.load
    at = lease.load
    steps = tuple(LoadStep(rate, 100, 0, rate, min(rate, held), 5.0, 9.0, 12.0) for rate in at.rates)
    return LoadReport(steps, OLD, OLD, at.busiest)


OLD = datetime(2020, 1, 1, tzinfo=UTC)
"""What an agent's clock shows that was never set."""


def says(shop: Shop, lease: Lease, **changes: Any) -> None:
    said: StepReport = replace(report(shop.clock.now(), StepOutcome.SUCCEEDED, ""), **changes)
    assert shop.leasing.report(holds(lease), said)
    shop.settle()


def rollout(shop: Shop) -> Rollout:
    with shop.database.reading() as connection:
        placement = queries.placement(connection, STAGING)
        found = queries.rollout(connection, placement.rollout) if placement else None
    assert found is not None
    return found


def synthetic(shop: Shop) -> list[str]:
    with shop.database.reading() as connection:
        return [str(one) for one in wanted_traffic(connection)]


def at_the_load_check(shop: Shop) -> Lease:
    check = next_lease(shop, "order")
    assert check.env["TIDEGATE_URL"].startswith("http://127.0.0.1:")
    assert synthetic(shop) == [STAGING]
    says(shop, check)
    return next_lease(shop, "load check")


def test_a_load_check_is_leased_with_its_ramp_and_a_release_that_holds_it_comes_to_the_gate(shop: Shop) -> None:
    lease = at_the_load_check(shop)
    assert lease.load is not None
    assert lease.load.url == f"{lease.env['TIDEGATE_URL']}/basket"
    assert (lease.load.rates[-1], lease.load.busiest) == (50.0, 1500)
    assert synthetic(shop) == [], "what it holds is measured alone"

    says(shop, lease, load=loaded(100.0, lease))
    shop.settle_until(lambda: rollout(shop).state is RolloutState.WATCHING)
    view = look_at_gate(shop.parts, rollout(shop).run or "", "production")
    load = view.evidence.stages["staging"].load
    assert load is not None and (load.multiple, load.asked, load.capacity) == (2.0, 50.0, 50.0)
    assert [one.holds for one in view.decision.policies] == [True]


def test_a_release_that_holds_too_little_goes_back_and_is_quarantined(shop: Shop) -> None:
    lease = at_the_load_check(shop)
    says(shop, lease, load=loaded(38.0, lease))
    run = shop.run(rollout(shop).run or "")
    shop.settle_until(lambda: shop.run(run.id).status is RunStatus.ROLLED_BACK)
    (why,) = shop.run(run.id).because
    assert "the service held 1.5 times the busiest minute of the last week in production" in why.text
    with shop.database.reading() as connection:
        (deployment,) = queries.deployments_here(connection, STAGING, [rollout(shop).new]).values()
    assert deployment.is_quarantined


def test_a_check_that_fails_takes_it_back(shop: Shop) -> None:
    says(shop, next_lease(shop, "order"), outcome=StepOutcome.FAILED, exit_code=3, detail="exit status 3")
    shop.settle_until(lambda: rollout(shop).state is RolloutState.ROLLED_BACK)
    cause = rollout(shop).cause
    assert cause is not None and cause.text == "verification failed: the check order failed: exit status 3"


def test_a_load_check_whose_agent_is_lost_is_leased_again_and_what_came_late_is_refused(shop: Shop) -> None:
    lost = at_the_load_check(shop)
    shop.clock.time += lost.step.timeout + HOUR
    shop.leasing.end_lost()
    shop.settle()
    assert rollout(shop).state is RolloutState.JUDGING
    assert "load check: agent one has been silent" in (rollout(shop).holds_because or "")
    again = next_lease(shop, "load check")
    assert again.attempt == lost.attempt + 1
    with pytest.raises(Exception, match="no longer yours"):
        says(shop, lost, load=loaded(10.0, lost))
    says(shop, again, load=loaded(100.0, again))
    shop.settle_until(lambda: rollout(shop).state is RolloutState.WATCHING)


def test_a_server_that_is_started_again_in_the_middle_goes_on_with_the_load_check(shop: Shop) -> None:
    lease = at_the_load_check(shop)
    shop.restart()
    shop.settle_over(3)
    assert rollout(shop).is_under_load
    says(shop, lease, load=loaded(100.0, lease))
    shop.settle_until(lambda: rollout(shop).state is RolloutState.WATCHING)


def test_a_cancelled_run_ends_its_load_check(shop: Shop) -> None:
    lease = at_the_load_check(shop)
    run = rollout(shop).run or ""
    shop.runs.cancel(run, OWNER)
    shop.settle()
    renewal = shop.leasing.renew("one", [holds(lease)])
    assert list(renewal.cancel) == [lease.step_run]
    says(shop, lease, outcome=StepOutcome.CANCELLED, exit_code=None)
    shop.settle_until(lambda: shop.run(run).status is RunStatus.CANCELLED)
