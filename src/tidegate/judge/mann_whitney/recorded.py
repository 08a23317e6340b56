"""A recording judged as Kayenta judges it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tidegate.judge.interval_figures import figure, intervals, single_values
from tidegate.judge.mann_whitney.classify import Classified
from tidegate.judge.mann_whitney.looks import Outcome, Series, judge, latest_look
from tidegate.judge.mann_whitney.shift import Floats
from tidegate.model.recording import MetricAnswer, MetricKind, RecordedAnswer, RecordedMetric, Recording, Side
from tidegate.model.verdict import Verdict

_NOTHING: Floats = np.empty(0)


def judge_as_kayenta(recording: Recording) -> RecordedAnswer:
    """The answer of the first look that fails, or of the last one."""
    outcome = judge(_all_series(recording), recording.mann_whitney)
    score = outcome.score
    return RecordedAnswer(
        verdict=score.verdict,
        reason=score.reason,
        failed_at=outcome.batch if score.verdict is Verdict.FAIL else None,
        passed_at=outcome.batch if score.verdict is Verdict.PASS else None,
        blamed=score.blamed if score.verdict is Verdict.FAIL else None,
        metrics=tuple(_answer(one) for one in outcome.metrics),
        score=score.value,
    )


def look_as_kayenta(recording: Recording) -> Outcome | None:
    """The latest look at a rollout that goes on; None where the first is still to come."""
    return latest_look(_all_series(recording), recording.mann_whitney)


def _all_series(recording: Recording) -> list[Series]:
    return [_series(one, recording.interval) for one in recording.metrics]


def _series(metric: RecordedMetric, length: int) -> Series:
    """Every value of a metric of values; of a rate or a histogram one figure an interval, where the interval ends."""
    canary: list[Floats] = [_NOTHING] * len(metric.batches)
    baseline = canary.copy()
    for interval in intervals(metric, length):
        canary[interval.last] = _values(metric, [one.canary for one in interval.batches])
        baseline[interval.last] = _values(metric, [one.baseline for one in interval.batches])
    return Series(metric.name, metric.mann_whitney, canary, baseline)


def _values(metric: RecordedMetric, sides: Sequence[Side | None]) -> Floats:
    if metric.kind is MetricKind.VALUES:
        return np.array(single_values(sides), dtype=np.float64)
    return np.array([figure(metric, sides, metric.mann_whitney.quantile).value], dtype=np.float64)


def _answer(one: Classified) -> MetricAnswer:
    interval = (one.shift.lower, one.shift.upper) if one.shift else None
    return MetricAnswer(one.name, one.p, one.shift.estimate if one.shift else None, interval, one.classification)
