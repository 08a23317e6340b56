"""A service's own metrics after 100%: held against what the old deployment showed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.judge.past import own_before
from tidegate.model.figures import Batch, Counters
from tidegate.model.ids import RolloutId
from tidegate.model.metric import (
    BEFORE_FIRST_STEP,
    Counted,
    Figures,
    Measured,
    MetricReading,
    MetricRule,
    MetricSeries,
    SourceName,
    Spread,
)
from tidegate.model.pipeline import LatencyRule, VerifyRule
from tidegate.model.recording import MetricKind, Worse
from tidegate.model.verdict import Judgement, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORDERS = MetricRule("orders", SourceName.PROMETHEUS, worse=Worse.DOWN)
REFUSED = MetricRule("refused", SourceName.PROMETHEUS, worse=Worse.UP)
WAITING = MetricRule("waiting", SourceName.PROMETHEUS, kind=MetricKind.HISTOGRAM)
WISHES = MetricRule("wishes", SourceName.PROMETHEUS, worse=Worse.DOWN, usage=True, tolerance=0.2)
MEMORY = MetricRule("memory", SourceName.PROMETHEUS, kind=MetricKind.VALUES)
EDGES = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 40.0)
ALONE = 1


def series(
    rule: MetricRule, old: Sequence[Figures], new: Sequence[Figures], first: Figures | None = None
) -> MetricSeries:
    """Both run the same beside each other while the old one shows `old`; then the new one alone shows `new`."""
    sides = [(0, one, one) for one in old] + [(ALONE, one, None) for one in new]
    readings = tuple(
        MetricReading(RolloutId("r"), rule.name, NOON + place * MINUTE, NOON + (place + 1) * MINUTE, step, one, other)
        for place, (step, one, other) in enumerate(sides)
    )
    look = MetricReading(RolloutId("r"), rule.name, NOON - 5 * MINUTE, NOON, BEFORE_FIRST_STEP, None, first)
    return MetricSeries(rule, readings, look if first else None)


def judged(*metrics: MetricSeries) -> Judgement:
    """At 100%, with errors as they should be."""
    served = Counters(requests=600, errors=0)
    batches = [Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, ALONE, served, None) for n in range(30)]
    rule = VerifyRule(latency=LatencyRule(quantiles=()), metrics=tuple(one.rule for one in metrics))
    return ComparisonJudge().judge(Case(batches, ALONE, rule, expects_baseline=False, metrics=metrics))


def counts(share: float, windows: int = 20, of: float = 3000.0) -> list[Figures]:
    return [Counted(share * of, of)] * windows


def spread(median: float, windows: int, seed: int) -> list[Figures]:
    rng = np.random.default_rng(seed)
    found: list[Figures] = []
    for _ in range(windows):
        places = np.searchsorted(EDGES, rng.lognormal(np.log(median), 0.4, 600))
        found.append(Spread(EDGES, tuple(float(n) for n in np.bincount(places, minlength=len(EDGES) + 1))))
    return found


@pytest.mark.parametrize(
    ("metric", "verdict"),
    [
        (series(ORDERS, counts(0.05), counts(0.05, of=6000)), Verdict.PASS),
        (series(ORDERS, counts(0.05), counts(0.047, of=6000)), Verdict.PASS),
        (series(ORDERS, counts(0.05), counts(0.03, of=6000)), Verdict.FAIL),
        (series(ORDERS, counts(0.05), counts(0.2, of=6000)), Verdict.PASS),
        (series(ORDERS, [], counts(0.03, of=6000), first=Counted(3000, 60_000)), Verdict.FAIL),
        (series(replace(ORDERS, tolerance=1.0), counts(0.05), counts(0.03, of=6000)), Verdict.PASS),
        (series(replace(ORDERS, gate=2.0), counts(0.05), counts(0.03, of=6000)), Verdict.PASS),
        (series(REFUSED, counts(0.01), counts(0.01, of=6000)), Verdict.PASS),
        (series(REFUSED, counts(0.01), counts(0.03, of=6000)), Verdict.FAIL),
        (series(REFUSED, counts(0.01), counts(0.0, of=6000)), Verdict.PASS),
        (series(WISHES, counts(0.05, of=60_000), counts(0.041, of=60_000)), Verdict.PASS),
        (series(WISHES, counts(0.05, of=60_000), counts(0.04, of=60_000)), Verdict.FAIL),
        (series(WAITING, spread(5, 20, 1), spread(5, 20, 2)), Verdict.PASS),
        (series(WAITING, spread(5, 20, 1), spread(5.3, 20, 2)), Verdict.PASS),
        (series(WAITING, spread(5, 20, 1), spread(9, 20, 2)), Verdict.FAIL),
    ],
    ids=lambda one: f"{one.rule.name}" if isinstance(one, MetricSeries) else str(one),
)
def test_a_metric_fails_where_it_is_worse_than_before_by_more_than_its_own_tolerance(
    metric: MetricSeries, verdict: Verdict
) -> None:
    found = judged(metric)
    assert found.verdict is verdict, found.reason
    assert f"{metric.rule.name} (before)" in [one.name for one in found.metrics]
    if verdict is Verdict.FAIL:
        assert found.blamed == f"{metric.rule.name} (before)"


@pytest.mark.parametrize(("used", "verdict"), [(0.041, Verdict.PASS), (0.04, Verdict.FAIL), (0.09, Verdict.PASS)])
def test_usage_that_drops_by_a_fifth_beside_the_old_deployment_fails(used: float, verdict: Verdict) -> None:
    side = Counters(requests=600, errors=0)
    batches = [Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, 0, side, side) for n in range(30)]
    new, old = Counted(used * 60_000, 60_000), Counted(3000, 60_000)
    readings = tuple(MetricReading(RolloutId("r"), "wishes", one.begin, one.end, 0, new, old) for one in batches)
    rule = VerifyRule(latency=LatencyRule(quantiles=()), metrics=(WISHES,))
    found = ComparisonJudge().judge(Case(batches, 0, rule, metrics=(MetricSeries(WISHES, readings),)))
    assert found.verdict is verdict, found.reason


def test_a_drop_that_is_seen_and_not_yet_certain_is_never_called_a_pass_of_its_metric() -> None:
    batches = [
        Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, 0, Counters(3000, 0), Counters(3000, 0)) for n in range(9)
    ]
    reading = MetricReading(RolloutId("r"), "wishes", NOON, NOON + MINUTE, 0, Counted(3, 315), Counted(25, 297))
    rule = VerifyRule(latency=LatencyRule(quantiles=()), metrics=(WISHES,))
    beside = ComparisonJudge().judge(Case(batches, 0, rule, metrics=(MetricSeries(WISHES, (reading,)),)))
    before = judged(series(WISHES, counts(0.08, windows=1, of=297), counts(0.02, windows=2, of=315)))
    for found, name, verdict in ((beside, "wishes", Verdict.UNDECIDED), (before, "wishes (before)", Verdict.PASS)):
        assert found.verdict is verdict, "a step waits while it looks worse, and a watch does not"
        assert {one.name: one.verdict for one in found.metrics}[name] is Verdict.UNDECIDED


def test_a_feature_that_the_old_deployment_never_had_is_not_held_against_that() -> None:
    assert own_before([series(WISHES, counts(0.0), counts(0.05))], (), ALONE) == own_before([], (), ALONE)


def test_the_reason_says_what_it_was_compared_with() -> None:
    found = judged(series(ORDERS, counts(0.05), counts(0.03, of=6000)))
    assert found.reason.startswith(
        "orders (before): 3% of 120,000 requests on the new deployment against 5% of 60,000 on the old before (p = "
    )


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (series(ORDERS, [], counts(0.0)), "the old deployment has no figures from before"),
        (series(ORDERS, [], counts(0.0), first=Counted(400)), "the old deployment has no figures from before"),
        (series(ORDERS, [Counted(4, 40)], counts(0.0)), "40 requests to the old deployment from before are too few"),
        (series(WAITING, [], spread(30, 20, 1)), "the old deployment has no figures from before"),
        (
            series(MEMORY, [Measured((1.0,))] * 20, [Measured((9.0,))] * 20),
            "values without a baseline are judged by their",
        ),
    ],
    ids=["nothing", "counts of unknown requests", "little", "no distribution", "values"],
)
def test_little_from_before_is_said_and_decides_nothing(metric: MetricSeries, why: str) -> None:
    found = judged(metric)
    assert found.verdict is Verdict.PASS
    assert f"{metric.rule.name} is not judged after 100%: {why}" in found.reason
    assert f"{metric.rule.name} (before)" not in [one.name for one in found.metrics]


def test_a_metric_without_figures_after_100_percent_is_not_spoken_of() -> None:
    assert own_before([series(ORDERS, counts(0.05), [])], (), ALONE) == own_before([], (), ALONE)


def test_what_is_tolerated_must_be_exceeded_for_certain_and_not_only_to_be_seen() -> None:
    """A tenth fewer is fine; of two million requests 10.6% fewer are seen, and are a tenth as likely as not."""
    by_many = series(ORDERS, counts(0.05, of=60_000), counts(0.0452, of=60_000))
    assert judged(by_many).verdict is Verdict.PASS


def test_what_was_seen_of_few_is_held_to_be_as_low_as_it_may_have_been() -> None:
    assert judged(series(ORDERS, [Counted(30, 200)], counts(0.1, of=6000))).verdict is Verdict.PASS
    assert judged(series(ORDERS, [Counted(3000, 20_000)], counts(0.1, of=6000))).verdict is Verdict.FAIL


def test_one_window_however_bad_is_not_enough() -> None:
    assert judged(series(ORDERS, counts(0.05), counts(0.0, windows=1, of=60_000))).verdict is not Verdict.FAIL


def test_of_ten_metrics_each_has_a_tenth_of_the_level() -> None:
    """What is enough evidence of one alone is not of one among many."""
    worse = counts(0.03, windows=6, of=6000)
    fine = [series(replace(REFUSED, name=f"fine{n}"), counts(0.01), counts(0.01, windows=6)) for n in range(9)]
    alone, among = (judged(series(ORDERS, counts(0.05), worse), *others) for others in ([], fine))
    evidence = [
        next(one.evidence for one in found.metrics if one.name == "orders (before)") for found in (alone, among)
    ]
    assert evidence[1] == pytest.approx(10 * evidence[0], rel=0.01)


def _steady(rng: np.random.Generator) -> Callable[[float], Figures]:
    return lambda of: Counted(float(rng.binomial(n := int(rng.poisson(of)), 0.05)), float(n))


def _in_clumps(rng: np.random.Generator) -> Callable[[float], Figures]:
    return lambda of: Counted(min(5.0 * rng.binomial(n := int(rng.poisson(of)), 0.01), float(n)), float(n))


@pytest.mark.parametrize("rule", [ORDERS, REFUSED], ids=["down", "up"])
@pytest.mark.parametrize("kind", [_steady, _in_clumps])
def test_no_harm_is_hardly_ever_failed_at_any_look(
    rule: MetricRule, kind: Callable[[np.random.Generator], Callable[[float], Figures]]
) -> None:
    """At a level of 10% for this metric alone, in place of what the whole rollout leaves it: with few seeds, too, an
    alarm that rings too often is heard."""
    level, seeds, alarms = 0.1, 7, 0
    for seed in range(seeds):
        counted = kind(np.random.default_rng(seed))
        whole = series(rule, [counted(300) for _ in range(8)], [counted(600) for _ in range(16)])
        looks = [replace(whole, readings=whole.readings[:end]) for end in range(11, len(whole.readings) + 1, 3)]
        found = [shown for look in looks for shown in own_before([look], (), ALONE).shown]
        assert len(found) == len(looks)
        alarms += any(shown.serious and shown.log_evidence >= -np.log(level) for shown in found)
    assert alarms <= 2  # of 7 at 10%: more in 3 of 100 tries


def memory(growth: float, seed: int = 1, windows: int = 90) -> MetricSeries:
    """Of the new deployment alone; so many times as much at the end as after the first five minutes."""
    rng = np.random.default_rng(seed)
    levels = 100 * growth ** np.linspace(0, 1, windows) * rng.lognormal(0, 0.05, windows)
    return series(MEMORY, [], [Measured((float(one), float(one) * 1.01)) for one in levels])


def watched(metric: MetricSeries, busier: float = 1.0, windows: int = 90) -> Judgement:
    """With requests that become so many times as many."""
    counts = (600 * busier ** np.linspace(0, 1, windows)).astype(int)
    batches = [
        Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, ALONE, Counters(int(one), 0), None)
        for n, one in enumerate(counts)
    ]
    rule = VerifyRule(latency=LatencyRule(quantiles=()), metrics=(metric.rule,))
    return ComparisonJudge().judge(Case(batches, ALONE, rule, expects_baseline=False, metrics=[metric]))


def test_values_that_grow_while_nothing_runs_beside_are_a_leak() -> None:
    found = watched(memory(2.0))
    assert (found.verdict, found.blamed) == (Verdict.FAIL, "memory (growth)")
    assert "when it had warmed up" in found.reason


@pytest.mark.parametrize(
    ("growth", "busier"), [(1.0, 1.0), (1.2, 1.0), (2.0, 2.0), (0.5, 1.0)], ids=["none", "little", "traffic", "shrinks"]
)
def test_what_does_not_grow_by_itself_is_no_leak(growth: float, busier: float) -> None:
    assert watched(memory(growth), busier).verdict is Verdict.PASS


def test_a_process_that_is_steady_is_no_leak() -> None:
    steady = [Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, ALONE, Counters(600, 0), None) for n in range(90)]
    shown = [own_before([memory(1.0, seed)], steady, ALONE).shown[0] for seed in range(100)]
    assert not any(one.serious and one.log_evidence > np.log(100) for one in shown)
