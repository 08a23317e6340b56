"""An interval is within its limit or beyond it, and more than the stated number beyond it fail the rollout."""

from __future__ import annotations

import pytest

from tidegate.judge.methods import judge_recordings
from tidegate.model.recording import (
    HistogramSide,
    Method,
    MetricKind,
    RateSide,
    RecordedAnswer,
    RecordedBatch,
    RecordedMetric,
    Recording,
    Tolerance,
    ValuesSide,
    Worse,
)
from tidegate.model.threshold import Limit, ThresholdRule
from tidegate.model.verdict import Verdict

FIVE_PERCENT = Limit(absolute=0.05)


def batches(*errors: int | None, baseline: int | None = 1) -> tuple[RecordedBatch, ...]:
    """Batches of 100 requests a side."""
    other = None if baseline is None else RateSide(100, baseline)
    return tuple(RecordedBatch(None if one is None else RateSide(100, one), other) for one in errors)


def judged(rule: ThresholdRule, *metrics: tuple[RecordedBatch, ...], interval: int = 1) -> RecordedAnswer:
    recorded = [
        RecordedMetric(f"m{n}", MetricKind.RATE, one, threshold=rule, tolerance=Tolerance(1.0, 0.0002), gate=1.25)
        for n, one in enumerate(metrics)
    ]
    return judge_recordings([Recording(tuple(recorded), Method.THRESHOLD, interval=interval)])[0]


@pytest.mark.parametrize(
    ("rule", "errors", "failed_at"),
    [
        (ThresholdRule(FIVE_PERCENT), [0, 5, 6, 0], 2),
        (ThresholdRule(FIVE_PERCENT, failure_limit=1), [6, 0, 0, 6], 3),
        (ThresholdRule(FIVE_PERCENT, failure_limit=3), [6, 6, 6, 0], None),
        (ThresholdRule(FIVE_PERCENT, failure_limit=3), [6, 6, 6, 0, 9], 4),
        (ThresholdRule(FIVE_PERCENT, failure_limit=None, consecutive_failures=3), [6, 6, 0, 6, 6, 0], None),
        (ThresholdRule(FIVE_PERCENT, failure_limit=None, consecutive_failures=3), [6, 0, 6, 6, 6, 0], 4),
        (ThresholdRule(FIVE_PERCENT, failure_limit=4, consecutive_failures=2), [6, 6, 0], 1),
    ],
)
def test_the_rollout_fails_with_the_interval_that_is_one_too_many(
    rule: ThresholdRule, errors: list[int], failed_at: int | None
) -> None:
    answer = judged(rule, batches(*errors))
    assert answer.failed_at == failed_at
    assert answer.verdict is (Verdict.PASS if failed_at is None else Verdict.FAIL)
    assert answer.passed_at == (len(errors) - 1 if failed_at is None else None)


def test_a_limit_beside_the_baseline_moves_with_it() -> None:
    twice = ThresholdRule(Limit(ratio=2.0, floor=0.01))
    assert judged(twice, batches(21, 21, baseline=10)).verdict is Verdict.PASS
    assert judged(twice, batches(22, 22, baseline=10)).verdict is Verdict.FAIL


def test_without_a_limit_the_metrics_tolerance_and_gate_are_the_limit() -> None:
    assert judged(ThresholdRule(), batches(12, baseline=10)).verdict is Verdict.PASS
    assert judged(ThresholdRule(), batches(13, baseline=10)).verdict is Verdict.FAIL


def test_where_less_is_worse_the_limit_is_below() -> None:
    def orders(taken: int, limit: Limit) -> Verdict:
        metric = RecordedMetric(
            "orders", MetricKind.RATE, batches(taken, baseline=50), worse=Worse.DOWN, threshold=ThresholdRule(limit)
        )
        return judge_recordings([Recording((metric,), Method.THRESHOLD)])[0].verdict

    assert orders(39, Limit(absolute=0.4)) is Verdict.FAIL
    assert orders(40, Limit(absolute=0.4)) is Verdict.PASS
    assert orders(39, Limit(ratio=1.25)) is Verdict.FAIL
    assert orders(40, Limit(ratio=1.25)) is Verdict.PASS


def test_an_interval_is_of_so_many_batches() -> None:
    answer = judged(ThresholdRule(FIVE_PERCENT), batches(9, 1, 1, 1, 9, 9, 9, 9), interval=4)
    assert (answer.verdict, answer.failed_at) == (Verdict.FAIL, 7)
    assert "m0: 1 of 2 intervals beyond the limit, none may be; the last with 0.09 where 0.05 is" in answer.reason


def test_too_few_requests_say_nothing() -> None:
    few = ThresholdRule(FIVE_PERCENT, minimum_requests=150)
    assert judged(few, batches(50, 50)).verdict is Verdict.UNDECIDED
    assert judged(few, batches(50, 50), interval=2).verdict is Verdict.FAIL


def test_an_interval_without_data_neither_ends_a_row_of_failures_nor_makes_it_longer() -> None:
    row = ThresholdRule(FIVE_PERCENT, failure_limit=None, consecutive_failures=3)
    assert judged(row, batches(6, 6, None, 1)).verdict is Verdict.PASS
    assert judged(row, batches(6, 6, None, 6)).failed_at == 3


def test_between_both_limits_nothing_is_said_and_so_much_of_that_is_allowed() -> None:
    rule = ThresholdRule(FIVE_PERCENT, within=Limit(absolute=0.02), inconclusive_limit=1)
    assert judged(rule, batches(1, 3, 1)).verdict is Verdict.PASS
    assert judged(rule, batches(1, 3, 4)).verdict is Verdict.UNDECIDED
    assert judged(rule, batches(3)).verdict is Verdict.UNDECIDED


def test_who_is_failing_at_the_end_does_not_pass() -> None:
    assert judged(ThresholdRule(FIVE_PERCENT, failure_limit=2), batches(1, 1, 6)).verdict is Verdict.UNDECIDED


def test_no_data_is_neither_a_pass_nor_a_fail() -> None:
    assert judged(ThresholdRule(FIVE_PERCENT), batches(None, None)).verdict is Verdict.NO_DATA
    assert judged(ThresholdRule(Limit(ratio=2.0)), batches(9, 9, baseline=None)).verdict is Verdict.NO_DATA
    assert judged(ThresholdRule(FIVE_PERCENT), batches(1, 1), batches(None, None)).verdict is Verdict.NO_DATA
    assert judged(ThresholdRule(FIVE_PERCENT), ()).verdict is Verdict.NO_DATA
    assert judged(ThresholdRule(FIVE_PERCENT), batches(None, 9)).verdict is Verdict.FAIL


def test_the_metric_that_fails_first_is_blamed() -> None:
    answer = judged(ThresholdRule(FIVE_PERCENT), batches(0, 0, 9), batches(0, 9, 0))
    assert (answer.blamed, answer.failed_at) == ("m1", 1)


@pytest.mark.parametrize(
    ("quantile", "shown"), [(None, (60 * 5 + 30 * 15 + 10 * 20) / 100), (0.5, 10 * 50 / 60), (0.95, 20.0)]
)
def test_of_a_histogram_a_quantile_is_judged_or_the_mean(quantile: float | None, shown: float) -> None:
    """Buckets to 10 ms, to 20 ms, and above, which is taken for 20 ms."""
    metric = RecordedMetric(
        "latency",
        MetricKind.HISTOGRAM,
        (RecordedBatch(HistogramSide((60, 30, 10)), HistogramSide((0, 0, 0))),),
        edges=(10.0, 20.0),
        threshold=ThresholdRule(Limit(absolute=1.0), quantile=quantile),
    )
    (answer,) = judge_recordings([Recording((metric,), Method.THRESHOLD)])
    assert answer.verdict is Verdict.FAIL
    assert answer.metrics[0].estimate == pytest.approx(shown)


def test_of_values_the_mean_is_judged() -> None:
    metric = RecordedMetric(
        "cpu",
        MetricKind.VALUES,
        (RecordedBatch(ValuesSide((1.0, 3.0, float("nan"))), None),),
        threshold=ThresholdRule(Limit(absolute=1.9)),
    )
    assert judge_recordings([Recording((metric,), Method.THRESHOLD)])[0].verdict is Verdict.FAIL
