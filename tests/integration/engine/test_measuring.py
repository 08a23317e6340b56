"""Metrics of a service's own in a rollout: what a real Prometheus says reaches whoever judges it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.integration.api.world import PIPELINE as CANARY
from tests.integration.api.world import ToldJudge
from tests.integration.engine.shop import BATCH, OWNER, PRODUCTION, SHOP, Shop
from tests.integration.metrics.prometheus_bench import PrometheusBench

from tidegate.engine.measuring import NOBODY
from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.metrics.prometheus import PrometheusSource
from tidegate.metrics.question import Question
from tidegate.metrics.source import SourceFailed
from tidegate.model.ids import DeploymentId
from tidegate.model.metric import BEFORE_FIRST_STEP, Counted, Figures, MetricReading, NoFigures, SourceName
from tidegate.model.metric_history import KEPT_FOR, HistoryHour
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.usage import last_seen
from tidegate.model.verdict import Judgement, Verdict
from tidegate.store import metric_queries, placement_queries, queries

WINDOW = 4 * BATCH
LIMIT_SECONDS = 20.0
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


class ToldSource:
    """Says of each deployment what the test says, once every window; of others nothing."""

    def __init__(self) -> None:
        self.says: dict[DeploymentId, Figures | SourceFailed] = {}
        self.asked: list[Question] = []

    def read(self, question: Question) -> Figures | NoFigures:
        self.asked.append(question)
        said = self.says.get(question.deployment, NoFigures("there is no such series"))
        if isinstance(said, SourceFailed):
            raise said
        return said


@pytest.fixture
def told(shop: Shop) -> ToldSource:
    source = ToldSource()
    shop.sources[SourceName.PROMETHEUS] = source
    return source


def begins(shop: Shop, judge: KeepingJudge, told: ToldSource, text: str = WITH_ORDERS) -> tuple[DeploymentId, ...]:
    """The second version begins to roll out; the new and the old deployment. The source knows the old one."""
    run = second_version(shop, judge, text)
    old = shop.newest()
    told.says[old] = Counted(8)
    shop.approved(run)
    return shop.newest(), old


def readings(shop: Shop) -> list[MetricReading]:
    with shop.database.reading() as connection:
        return list(metric_queries.readings(connection, rollout(shop).id))


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


def test_a_version_that_sells_less_than_the_old_one_beside_it_goes_back(
    shop: Shop, judge: KeepingJudge, prometheus: PrometheusBench
) -> None:
    shop.sources[SourceName.PROMETHEUS] = PrometheusSource(prometheus.url)
    run = second_version(shop, judge, WITH_ORDERS)
    shop.restart(judge=ComparisonJudge())
    old, orders = shop.newest(), Orders(shop, prometheus)
    orders.sell(4, {old: 10})
    shop.approved(run)
    new = shop.newest()
    for _ in range(60):
        if rollout(shop).state.is_ended:
            break
        orders.sell(1, {old: 10, new: 1})
    ended = rollout(shop)
    assert ended.state is RolloutState.ROLLED_BACK and ended.cause is not None
    assert "verification failed: orders: " in ended.cause.text
    assert shop.serving() != shop.label(run)


def test_a_source_that_fails_neither_passes_nor_fails_a_rollout_and_the_words_say_why(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    new, old = begins(shop, judge, told)
    judge.verdict = Verdict.PASS
    told.says = dict.fromkeys((new, old), SourceFailed("Prometheus does not answer: Connection refused", is_away=True))
    shop.settle_over(12)
    held = rollout(shop)
    assert (held.state, held.step) == (RolloutState.JUDGING, 0)
    assert held.judgement is not None and held.judgement.verdict is Verdict.NO_DATA
    assert "orders: no data of both deployments: Prometheus does not answer" in held.judgement.reason
    assert held.holds_because == held.judgement.reason
    # one that does not answer is asked once a look, not for each side
    assert len(told.asked) == len(readings(shop)) + 1
    told.says = {new: Counted(8), old: Counted(8)}
    shop.settle_over(12)
    assert rollout(shop).step > 0


def test_the_routers_figures_fail_a_rollout_whatever_the_source_does(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    new, old = begins(shop, judge, told)
    told.says = dict.fromkeys((new, old), SourceFailed("Prometheus does not answer"))
    shop.settle_over(3)
    judge.verdict = Verdict.FAIL
    shop.settle_over(2)
    assert rollout(shop).state is RolloutState.ROLLED_BACK


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({}, "no data of the old deployment before the rollout: there is no such series"),
        ({NOBODY: Counted(8)}, "it does not look at the deployment"),
    ],
    ids=["no such metric", "a metric of something else"],
)
def test_a_metric_is_tried_on_the_old_deployment_before_the_rollout(
    shop: Shop, judge: KeepingJudge, told: ToldSource, says: dict[DeploymentId, Figures], words: str
) -> None:
    run = second_version(shop, judge, WITH_ORDERS)
    told.says |= {shop.newest(): Counted(8), **says} if says else {}
    shop.approved(run)
    assert not [one for one in readings(shop) if one.step != BEFORE_FIRST_STEP]
    (said,) = [text for text in shop.said() if words in text]
    assert said.startswith("orders: ") and "neither pass nor fail production" in said
    judge.verdict = Verdict.PASS
    shop.settle_over(2)
    judgement = rollout(shop).judgement
    assert judgement is not None and judgement.verdict is Verdict.NO_DATA and words in judgement.reason
    shop.settle_over(10)
    of_something_else = NOBODY in says
    assert bool([one for one in readings(shop) if one.step != BEFORE_FIRST_STEP]) is not of_something_else


def test_what_was_read_outlives_the_server_and_is_not_asked_for_again(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    new, _ = begins(shop, judge, told)
    told.says[new] = Counted(1)
    shop.settle_over(10)
    before, asked = readings(shop), len(told.asked)
    assert [one.step for one in before] == [BEFORE_FIRST_STEP, 0]
    shop.restart()
    shop.settle()
    assert (readings(shop), len(told.asked)) == (before, asked)
    shop.settle_over(4)
    assert readings(shop)[: len(before)] == before and len(readings(shop)) == 3


def test_a_command_gets_the_secrets_that_the_metric_names_and_one_that_is_not_set_is_said(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    shop.sources[SourceName.COMMAND] = told
    by_command = "orders: {source: command, command: [orders], secrets: [API_KEY], window: 4s}"
    new, _ = begins(shop, judge, told, WITH_ORDERS.replace(ORDERS, by_command))
    told.says[new] = Counted(1)
    shop.settle_over(5)
    assert told.asked == []
    assert "the secret API_KEY is not set; tidegate secret set shop API_KEY" in readings(shop)[-1].trouble
    shop.services.set_secret(SHOP, "API_KEY", "s3cret", OWNER)
    shop.settle_over(4)
    assert {asked.secrets["API_KEY"] for asked in told.asked} == {"s3cret"}
    assert readings(shop)[-1].canary == Counted(1, 80)
    assert "s3cret" not in str(shop.rows()["metric_reading"])


def test_a_metric_that_takes_long_does_not_keep_the_others_waiting(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    both = f"{ORDERS}, {ORDERS.replace('orders:', 'baskets:', 1)}"
    run = second_version(shop, judge, WITH_ORDERS.replace(ORDERS, both))
    together = threading.Barrier(2, timeout=LIMIT_SECONDS)

    def wait(question: Question) -> Figures:
        together.wait()
        return Counted(0)

    shop.sources[SourceName.PROMETHEUS] = SimpleNamespace(read=wait)
    shop.approved(run)
    shop.settle_over(9)
    assert {one.metric for one in readings(shop) if one.step == 0 and one.canary} == {"orders", "baskets"}


def test_a_server_that_knows_no_prometheus_says_how_it_would(shop: Shop, judge: KeepingJudge) -> None:
    shop.approved(second_version(shop, judge, WITH_ORDERS))
    assert [text for text in shop.said() if "metrics: {prometheus: {url: …}} in tidegate-server.yaml" in text]


def test_a_rollout_that_went_well_is_remembered_by_the_hour_and_one_that_did_not_is_not(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    new, _ = begins(shop, judge, told)
    told.says[new] = Counted(1)
    judge.verdict = Verdict.PASS
    shop.settle_until(lambda: rollout(shop).state is RolloutState.SUCCEEDED)
    kept = remembered(shop)
    assert set(kept) == {"errors", "orders"}
    (hour,) = kept["orders"]
    assert hour.hour == shop.clock.now().replace(minute=0, second=0)
    assert hour.batches[0].figures == Counted(8, 80)
    assert hour.batches[-1].figures == Counted(1, 80), "at the end the new one serves, and was found good"
    bad = shop.pushed()
    shop.built()
    shop.approved(bad)
    judge.verdict = Verdict.FAIL
    shop.settle_until(lambda: rollout(shop).state is RolloutState.ROLLED_BACK)
    assert remembered(shop) == kept
    shop.clock.time += KEPT_FOR + timedelta(hours=1)
    judge.verdict = Verdict.PASS
    good = shop.pushed(CANARY)
    shop.built()
    shop.approved(good)
    shop.settle_until(lambda: rollout(shop).state is RolloutState.SUCCEEDED)
    assert {hour.hour.date() for hours in remembered(shop).values() for hour in hours} == {shop.clock.now().date()}


def test_a_rollout_that_is_only_watched_gives_way_to_the_next_one_which_is_judged_by_what_it_left(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    watched = WITH_ORDERS.replace("at_most: 10m,", "at_most: 10m, watch: 1h,")
    new, _ = begins(shop, judge, told, watched)
    told.says[new] = Counted(1)
    judge.verdict = Verdict.PASS
    shop.settle_until(lambda: rollout(shop).state is RolloutState.WATCHING)
    assert "orders" not in remembered(shop)
    following = shop.pushed()
    shop.built()
    shop.approved(following)
    kept = remembered(shop)
    assert "orders" in kept
    shop.settle_over(2)
    assert judge.case is not None
    (orders,) = judge.case.metrics
    assert list(orders.history) == [batch for hour in kept["orders"] for batch in hour.batches]
    assert list(judge.case.history["errors"]) == [batch for hour in kept["errors"] for batch in hour.batches]


@pytest.mark.parametrize(("sells", "ends"), [(0.1, RolloutState.SUCCEEDED), (0.01, RolloutState.ROLLED_BACK)])
def test_orders_that_drop_after_all_traffic_moved_take_the_rollout_back(
    shop: Shop, judge: KeepingJudge, told: ToldSource, sells: float, ends: RolloutState
) -> None:
    of_visits = ORDERS.replace("window: 4s", "window: 2s").replace(
        "per: requests", "total: 'visits{deployment=\"$deployment\"}'"
    )
    watched = WITH_ORDERS.replace(ORDERS, of_visits).replace("at_most: 10m,", "at_most: 10m, watch: 18s,")
    new, old = begins(shop, judge, told, watched)
    told.says = dict.fromkeys((new, old), Counted(300, 3000))
    judge.verdict = Verdict.PASS
    shop.settle_until(lambda: rollout(shop).state is RolloutState.WATCHING)
    assert shop.serving() == shop.label(str(rollout(shop).run))
    shop.restart(judge=ComparisonJudge())
    told.says[new] = Counted(3000 * sells, 3000)
    shop.settle_until(lambda: rollout(shop).state.is_ended)
    ended = rollout(shop)
    assert ended.state is ends
    assert ended.judgement is not None
    assert "orders (before)" in {one.name for one in ended.judgement.metrics}
    if ends is RolloutState.ROLLED_BACK:
        assert ended.cause is not None
        assert "orders (before): 1% of " in ended.cause.text and " on the old before" in ended.cause.text
        assert shop.serving() != shop.label(str(ended.run))


def test_the_use_of_a_new_feature_is_told_and_waits_for_no_figures_of_the_old_deployment(
    shop: Shop, judge: KeepingJudge, told: ToldSource
) -> None:
    text = WITH_ORDERS.replace("worse: down,", "usage: true,")
    run = second_version(shop, judge, text)
    shop.approved(run)
    new = shop.newest()
    told.says[new] = Counted(4)
    judge.verdict = Verdict.PASS
    shop.settle_until(lambda: rollout(shop).state is RolloutState.SUCCEEDED)
    judgement = rollout(shop).judgement
    assert judgement is not None
    assert (
        "orders: used by 5% of " in judgement.reason
        and "new, so there is nothing to compare it with" in judgement.reason
    )
    (usage,) = [one for one in judgement.metrics if one.name == "orders (usage)"]
    assert usage.low is not None and usage.high is not None and usage.low < 5 < usage.high
    with shop.database.reading() as connection:
        deployments = placement_queries.deployments_of_release(connection, str(shop.run(run).release))
        seen = last_seen(placement_queries.rollouts_to(connection, deployments))
    assert seen == {"production": (usage,)}


def remembered(shop: Shop) -> dict[str, tuple[HistoryHour, ...]]:
    """The history of production by metric."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with shop.database.reading() as connection:
        found = {
            metric: metric_queries.history(connection, PRODUCTION, metric, since)
            for metric in ("errors", "latency", "orders")
        }
    return {metric: hours for metric, hours in found.items() if hours}
