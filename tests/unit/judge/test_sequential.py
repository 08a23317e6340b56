"""What the sequential judge says of recordings: data that is not there, passing and late harm, gates, kinds."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from tidegate.judge.methods import judge_recordings
from tidegate.judge.sequential import SUSPICION, decide, judge_sequentially, track_all
from tidegate.model.recording import (
    HistogramSide,
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
from tidegate.model.verdict import Verdict

EDGES = (10.0, 20.0, 40.0, 80.0)


def rates(
    canary: tuple[int, int] | None, baseline: tuple[int, int] | None, times: int = 1
) -> tuple[RecordedBatch, ...]:
    """Batches of (n, x)."""
    return (RecordedBatch(canary and RateSide(*canary), baseline and RateSide(*baseline)),) * times


def errors(*batches: RecordedBatch, name: str = "errors") -> RecordedMetric:
    return RecordedMetric(name, MetricKind.RATE, batches, tolerance=Tolerance(1.0, 0.0002), gate=1.25)


def judged(*metrics: RecordedMetric, alpha: float = 0.01) -> RecordedAnswer:
    (answer,) = judge_sequentially([Recording(metrics, alpha=alpha)])
    return answer


def test_harm_fails_and_names_the_batch_the_metric_and_the_figures() -> None:
    answer = judged(errors(*rates((300, 1), (300, 1), 4), *rates((300, 60), (300, 1), 20)))
    assert answer.verdict is Verdict.FAIL
    assert answer.blamed == "errors"
    assert answer.failed_at is not None and 6 <= answer.failed_at <= 16
    assert answer.metrics[0].evidence >= 100
    assert answer.metrics[0].estimate is not None and answer.metrics[0].estimate > 10
    low, high = answer.metrics[0].interval or (0, 0)
    assert low < answer.metrics[0].estimate < high
    assert "on the canary against" in answer.reason


def test_harm_that_may_be_over_soon_keeps_from_passing() -> None:
    recording = Recording((errors(*rates((2000, 6), (2000, 4), 10)),))
    (track,) = track_all(recording.metrics, recording.batch_seconds)
    assert decide(recording, [track]).verdict is Verdict.PASS
    suspected = replace(track, log_suspicion=np.full(10, np.log(SUSPICION) + 0.1))
    assert decide(recording, [suspected]).verdict is Verdict.UNDECIDED


def test_a_rollout_that_passed_and_does_harm_later_is_failed() -> None:
    answer = judged(errors(*rates((500, 0), (500, 0), 30), *rates((500, 100), (500, 0), 30)))
    assert answer.verdict is Verdict.FAIL
    assert answer.passed_at is not None and answer.failed_at is not None
    assert answer.passed_at < 30 <= answer.failed_at


@pytest.mark.parametrize(
    "batches",
    [
        (),
        rates(None, (500, 0), 50),
        rates((500, 400), None, 50),
        rates(None, None, 5),
        rates((0, 0), (500, 0), 50),
        rates((500, 500), (0, 0), 50),
    ],
)
def test_without_data_of_both_sides_nothing_is_said(batches: tuple[RecordedBatch, ...]) -> None:
    answer = judged(errors(*batches))
    assert (answer.verdict, answer.failed_at, answer.passed_at) == (Verdict.NO_DATA, None, None)
    assert answer.metrics[0].evidence == 1


def test_a_metric_without_data_is_no_pass_and_hides_no_harm() -> None:
    silent = errors(*rates(None, None, 60), name="other")
    assert judged(errors(*rates((500, 0), (500, 0), 60)), silent).verdict is Verdict.NO_DATA
    assert judged(errors(*rates((500, 100), (500, 0), 60)), silent).blamed == "errors"


def test_batches_that_lack_a_side_multiply_by_1() -> None:
    some = rates((300, 6), (300, 3), 5)
    whole, holes = judged(errors(*some)), judged(errors(*some, *rates(None, (300, 3), 3), *rates((300, 6), None, 3)))
    assert holes.metrics[0].evidence == whole.metrics[0].evidence


def test_certain_but_small_differences_pass_no_gate() -> None:
    answer = judged(errors(*rates((100_000, 1220), (100_000, 1000), 60)))
    assert answer.metrics[0].evidence > 100
    assert answer.verdict is not Verdict.FAIL


def test_orders_that_go_down_are_harm_and_orders_that_go_up_are_none() -> None:
    metric = replace(errors(*rates((2000, 60), (2000, 100), 60)), worse=Worse.DOWN, gate=1.05, tolerance=Tolerance(1.0))
    assert judged(metric).verdict is Verdict.FAIL
    more = replace(metric, batches=rates((2000, 140), (2000, 100), 60))
    assert judged(more).verdict is Verdict.PASS


def test_the_level_is_the_one_that_was_asked_for() -> None:
    batches = rates((300, 9), (300, 3), 40)
    soon, late = judged(errors(*batches), alpha=0.2).failed_at, judged(errors(*batches), alpha=0.0001).failed_at
    assert soon is not None and (late is None or soon < late)


def histogram(canary: tuple[int, ...], baseline: tuple[int, ...], times: int) -> RecordedMetric:
    batches = (RecordedBatch(HistogramSide(canary), HistogramSide(baseline)),) * times
    return RecordedMetric("latency", MetricKind.HISTOGRAM, batches, tolerance=Tolerance(1.1), edges=EDGES)


def test_slower_requests_fail_and_name_a_quantile() -> None:
    answer = judged(histogram((10, 40, 60, 30, 10), (50, 60, 30, 8, 2), 20))
    assert answer.blamed == "latency"
    assert "latency: p" in answer.reason


def test_the_same_distribution_passes_and_faster_is_no_harm() -> None:
    same = (50, 60, 30, 8, 2)
    assert judged(histogram(same, same, 60)).verdict is Verdict.PASS
    assert judged(histogram((90, 50, 8, 2, 0), same, 60)).verdict is Verdict.PASS


def values(canary: list[float], baseline: list[float], **changes: object) -> RecordedMetric:
    batches = tuple(
        RecordedBatch(ValuesSide((one, one * 1.01)), ValuesSide((other, other * 1.01)))
        for one, other in zip(canary, baseline, strict=True)
    )
    metric = RecordedMetric("memory", MetricKind.VALUES, batches, tolerance=Tolerance(1.1))
    return replace(metric, **changes)  # type: ignore[arg-type]


def noisy(rng: np.random.Generator, level: np.ndarray) -> list[float]:
    return [float(one) for one in level * rng.lognormal(0, 0.05, len(level))]


def test_values_that_are_higher_fail_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(1)
    flat = np.full(80, 100.0)
    assert judged(values(noisy(rng, 1.5 * flat), noisy(rng, flat))).blamed == "memory"
    failed = [judged(values(noisy(rng, flat), noisy(rng, flat))).verdict for _ in range(12)]
    assert Verdict.FAIL not in failed
    assert Verdict.PASS in failed


def test_a_leak_is_found_before_the_level_is_high() -> None:
    rng = np.random.default_rng(2)
    grows = 70 * (1 + np.linspace(0, 0.5, 200))
    answer = judged(values(noisy(rng, grows), noisy(rng, np.full(200, 100.0))))
    assert answer.verdict is Verdict.FAIL
    assert "it grows" in answer.reason


def test_values_that_are_missing_are_no_values() -> None:
    assert judged(values([nan] * 20, [100.0] * 20)).verdict is Verdict.NO_DATA


def test_many_are_answered_as_each_alone() -> None:
    rng = np.random.default_rng(8)
    some = [
        Recording((errors(*(rates((80, int(rng.integers(0, 6))), (120, 3))[0] for _ in range(rng.integers(1, 40)))),))
        for _ in range(12)
    ]
    some.append(Recording((histogram((10, 40, 60, 30, 10), (50, 60, 30, 8, 2), 9), errors(*rates((10, 1), (10, 0))))))
    assert judge_recordings(some) == [judge_recordings([one])[0] for one in some]
