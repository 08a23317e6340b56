"""A service's own metrics beside the old deployment: a step waits for their figures, and while they look worse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.model.figures import Batch, Counters
from tidegate.model.ids import RolloutId
from tidegate.model.metric import Counted, MetricReading, MetricRule, MetricSeries, SourceName
from tidegate.model.pipeline import LatencyRule, VerifyRule
from tidegate.model.recording import Worse
from tidegate.model.verdict import Judgement, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORDERS = MetricRule("orders", SourceName.PROMETHEUS, worse=Worse.DOWN)
REFUSED = MetricRule("refused", SourceName.PROMETHEUS, worse=Worse.UP)
JUDGE = ComparisonJudge()


def judged(rule: MetricRule, *windows: tuple[tuple[float, float], tuple[float, float]]) -> Judgement:
    """Windows of a minute in which so many of so many did so, on the new deployment and on the old one."""
    side = Counters(requests=3000, errors=0)
    batches = [Batch(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, 0, side, side) for n in range(max(8, len(windows)))]
    readings = tuple(
        MetricReading(RolloutId("r"), rule.name, batch.begin, batch.end, 0, Counted(*new), Counted(*old))
        for batch, (new, old) in zip(batches, windows, strict=False)
    )
    verify = VerifyRule(latency=LatencyRule(quantiles=()), metrics=(rule,))
    return JUDGE.judge(Case(batches, 0, verify, metrics=(MetricSeries(rule, readings),)))


@pytest.mark.parametrize(
    ("rule", "new", "verdict"),
    [
        (ORDERS, (60, 500), Verdict.UNDECIDED),
        (ORDERS, (140, 500), Verdict.PASS),
        (ORDERS, (300, 500), Verdict.PASS),
        (REFUSED, (300, 500), Verdict.UNDECIDED),
        (REFUSED, (150, 500), Verdict.PASS),
        (REFUSED, (60, 500), Verdict.PASS),
    ],
)
def test_a_step_does_not_pass_while_a_metric_looks_worse(
    rule: MetricRule, new: tuple[float, float], verdict: Verdict
) -> None:
    """One window against 29% on the old deployment: too little to fail the rollout."""
    found = judged(rule, (new, (145, 500)))
    assert found.verdict is verdict, found.reason
    if verdict is Verdict.UNDECIDED:
        assert found.suspects
        assert f"{rule.name}: " in found.reason and "this may be harm, more requests will tell" in found.reason


def test_what_looked_worse_by_chance_passes_later() -> None:
    unlucky, usual = ((90.0, 500.0), (145.0, 500.0)), ((145.0, 500.0), (145.0, 500.0))
    assert judged(ORDERS, unlucky).verdict is Verdict.UNDECIDED
    assert judged(ORDERS, unlucky, *[usual] * 4).verdict is Verdict.PASS


def test_few_harmless_looks_look_worse() -> None:
    rng = np.random.default_rng(5)
    looks = 200
    waits = 0
    for _ in range(looks):
        windows = [tuple((float(rng.binomial(500, 0.29)), 500.0) for _ in range(2)) for _ in range(3)]
        waits += judged(ORDERS, *windows).verdict is Verdict.UNDECIDED  # type: ignore[arg-type]
    assert waits <= 0.06 * looks
