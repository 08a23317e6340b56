"""Metrics of a service's own in a rollout: what a real Prometheus says reaches whoever judges it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.integration.api.world import PIPELINE as CANARY
from tests.integration.api.world import ToldJudge
from tests.integration.engine.shop import BATCH, PRODUCTION, Shop
from tests.integration.metrics.prometheus_bench import PrometheusBench

from tidegate.judge.judge import Case
from tidegate.metrics.prometheus import PrometheusSource
from tidegate.model.ids import DeploymentId
from tidegate.model.metric import Counted, SourceName
from tidegate.model.rollout import Rollout
from tidegate.model.run import RunStatus
from tidegate.model.verdict import Judgement, Verdict
from tidegate.store import queries

WINDOW = 4 * BATCH
ORDERS = (
    "orders: {source: prometheus, query: 'sum(increase(orders_total{deployment=\"$deployment\"}[$window]))', "
    "per: requests, worse: down, window: 4s}"
)
WITH_ORDERS = CANARY.replace("verify: {at_most: 10m, watch: 1m}", f"verify: {{at_most: 10m, metrics: {{{ORDERS}}}}}")


class KeepingJudge(ToldJudge):
    """Keeps what it was asked last."""

    case: Case | None = None

    def judge(self, case: Case) -> Judgement:
        self.case = case
        return super().judge(case)


class Orders:
    """Each deployment sells so many things in each batch, and Prometheus hears of it."""

    def __init__(self, shop: Shop, prometheus: PrometheusBench) -> None:
        self._shop = shop
        self._prometheus = prometheus
        self._sold: dict[DeploymentId, float] = {}

    def sell(self, batches: int, each: Mapping[DeploymentId, float]) -> None:
        """Let batches pass in which so much is sold."""
        for _ in range(batches):
            for deployment, count in each.items():
                self._sold[deployment] = self._sold.get(deployment, 0) + count
                at = self._shop.clock.now() + BATCH
                self._prometheus.write("orders_total", {"deployment": deployment}, {at: self._sold[deployment]})
            self._shop.pass_time(BATCH)


@pytest.fixture
def judge(shop: Shop) -> KeepingJudge:
    judge = KeepingJudge()
    shop.restart(judge=judge)
    return judge


def rollout(shop: Shop) -> Rollout:
    with shop.database.reading() as connection:
        return queries.rollouts_of_placement(connection, PRODUCTION)[0]


def second_version(shop: Shop, judge: KeepingJudge, text: str) -> str:
    """The first version serves, and the second one, of that text, waits at the gate to production; its run."""
    shop.added(CANARY)
    shop.built()
    first = str(shop.rows()["run"][0]["id"])
    shop.approved(first)
    shop.settle_until(lambda: shop.run(first).status is RunStatus.SUCCEEDED)
    judge.verdict = Verdict.UNDECIDED
    second = shop.pushed(text)
    shop.built()
    return second


def test_what_prometheus_counts_reaches_the_judge_batch_by_batch(
    shop: Shop, judge: KeepingJudge, prometheus: PrometheusBench
) -> None:
    shop.sources[SourceName.PROMETHEUS] = PrometheusSource(prometheus.url)
    run = second_version(shop, judge, WITH_ORDERS)
    old, orders = shop.newest(), Orders(shop, prometheus)
    orders.sell(4, {old: 10})
    shop.approved(run)
    new = shop.newest()
    orders.sell(9, {old: 10, new: 5})
    assert judge.case is not None
    (series,) = judge.case.metrics
    assert series.rule.name == "orders"
    last = series.readings[-1]
    assert last.end - last.begin == WINDOW
    assert isinstance(last.baseline, Counted) and isinstance(last.canary, Counted)
    assert (last.baseline.n, last.canary.n) == (80, 80)
    assert [last.baseline.x, last.canary.x] == pytest.approx([40, 20], abs=0.5)
