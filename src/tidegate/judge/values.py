"""Recorded metrics of kind "values": what is measured in intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.intervals import STAKES, WARM_UP_SECONDS, log_stakes, worse_pairs
from tidegate.judge.leak import RECENT, evidence_path, leak
from tidegate.judge.tracks import SAFE_LEVEL, Pace, Track
from tidegate.model.recording import RecordedMetric, Side, ValuesSide, Worse

MARGIN = 1.5
"""What must be excluded to pass: half as much again beyond the tolerance."""

LEVEL_PART = 0.75
"""The part of the evidence that is about the level of the values; the rest is about a leak."""


def track_values(metric: RecordedMetric, pace: Pace, batch_seconds: float) -> Track:
    """The track of one metric."""
    sides = [(_values(batch.canary), _values(batch.baseline)) for batch in metric.batches]
    past = [(_values(batch.canary), _values(batch.baseline)) for batch in metric.history]
    down = metric.worse is Worse.DOWN
    times = metric.tolerance.ratio
    worse = evidence_path(_pairs(past, times, down=down), _pairs(sides, times, down=down), pace)
    safe = _safety(1 - _pairs(past, times * MARGIN, down=down), 1 - _pairs(sides, times * MARGIN, down=down))
    canary, baseline = _medians([one for one, _ in sides]), _medians([one for _, one in sides])
    grown, growth = leak(_excess(canary, baseline, down=down), pace, ceil(WARM_UP_SECONDS / batch_seconds))
    shown_canary, shown_baseline = _recent(canary), _recent(baseline)
    ratio = np.divide(
        shown_canary, shown_baseline, out=np.full(len(sides), np.nan), where=np.nan_to_num(shown_baseline) > 0
    )
    effect = 1 / np.where(ratio > 0, ratio, np.nan) if down else ratio
    gate = max(metric.gate, times)
    higher = effect >= gate
    grows = (grown > worse) & (growth >= np.log(max(times, 1.05)))
    evidence = np.logaddexp(worse + np.log(LEVEL_PART), grown + np.log(1 - LEVEL_PART))
    return Track(
        known=~np.isnan(canary) & ~np.isnan(baseline),
        log_evidence=evidence,
        log_suspicion=evidence,
        serious=higher | grows,
        safe=np.maximum.accumulate(safe) >= -np.log(SAFE_LEVEL) if len(safe) else safe > 0,
        to_go=_to_go(safe),
        canary=shown_canary,
        baseline=shown_baseline,
        ratio=ratio,
        spread=np.full(len(sides), np.nan),
        requests=np.cumsum([len(one) for one, _ in sides]).astype(np.float64),
        quantile=np.full(len(sides), np.nan),
        grows=grows,
    )


def _values(side: Side | None) -> Floats:
    values = np.array(side.values if isinstance(side, ValuesSide) else (), dtype=np.float64)
    return values[~np.isnan(values)]


def _pairs(sides: Sequence[tuple[Floats, Floats]], times: float, *, down: bool) -> Floats:
    if down:
        return np.array([worse_pairs(baseline, canary, times) for canary, baseline in sides])
    return np.array([worse_pairs(canary, baseline, times) for canary, baseline in sides])


def _safety(past: Floats, u: Floats) -> Floats:
    bets = log_stakes(np.concatenate([past, u]))[len(past) :]
    result: Floats = np.logaddexp.reduce(np.cumsum(bets, axis=0), axis=1) - np.log(len(STAKES))
    return result


def _excess(canary: Floats, baseline: Floats, *, down: bool) -> Floats:
    """By how much the canary is worse, as a logarithm; NaN where either is unknown or not positive."""
    positive = (np.nan_to_num(canary) > 0) & (np.nan_to_num(baseline) > 0)
    excess = np.full(len(canary), np.nan)
    excess[positive] = np.log(canary[positive] / baseline[positive]) * (-1 if down else 1)
    return excess


def _medians(sides: Sequence[Floats]) -> Floats:
    return np.array([np.median(one) if len(one) else np.nan for one in sides])


def _recent(medians: Floats) -> Floats:
    """After each batch the median of the latest ones."""
    result = np.full(len(medians), np.nan)
    for place in range(len(medians)):
        latest = medians[max(0, place + 1 - RECENT) : place + 1]
        latest = latest[~np.isnan(latest)]
        if len(latest):
            result[place] = np.median(latest)
    return result


def _to_go(safety: Floats) -> float:
    """How many batches until it is safe, from how fast the evidence grew so far."""
    if not len(safety) or safety[-1] <= 0:
        return inf
    return float(max(0.0, (-np.log(SAFE_LEVEL) / safety[-1] - 1) * len(safety)))
