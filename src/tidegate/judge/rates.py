"""Recorded metrics of kind "rate": shares of requests, such as errors or orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tidegate.judge.arrays import Flags, Floats
from tidegate.judge.proportions import DOWN_HARMS, ERROR_HARMS, Rows, Rules
from tidegate.judge.tracks import LEAST_TO_FAIL, LEAST_TO_PASS, SAFE_LEVEL, Pace, Track, batches_to_pass
from tidegate.judge.two_proportions import Counts, Line
from tidegate.model.recording import RateSide, RecordedBatch, RecordedMetric, Side, Worse

MARGIN_UP, MARGIN_DOWN, MARGIN_FLOOR = 2.0, 1.5, 0.004
"""What must be excluded to pass: twice as many errors and 0.4 percentage points; a third less of something good."""


def track_rates(metrics: Sequence[RecordedMetric], pace: Pace) -> list[Track]:
    """The tracks of metrics with one direction, judged at once."""
    down = metrics[0].worse is Worse.DOWN
    rules = rate_rules(metrics, down=down)
    rows = Rows.new(len(metrics), DOWN_HARMS if down else ERROR_HARMS, pace.horizon, pace.lengths)
    for figures in _figures([one.history for one in metrics]):
        rows = rows.learns(rate_counts(figures, down=down))
    seen = []
    for figures in _figures([one.batches for one in metrics]):
        rows = rows.after(rate_counts(figures, down=down), rules)
        seen.append(
            np.stack(
                [
                    ((figures[0] > 0) & (figures[2] > 0)).astype(np.float64),
                    rows.log_lasting(),
                    rows.harm.log_total(),
                    rows.log_safety(),
                    rows.dispersion.factor(),
                    rows.total[0],
                    *_original(rows.likely(), down=down),
                ]
            )
        )
    table = np.array(seen).reshape(len(seen), 10, len(metrics))
    to_go = rows.batches_to(-np.log(SAFE_LEVEL))
    return [_track(one, table[: len(one.batches), :, place], float(to_go[place])) for place, one in enumerate(metrics)]


def rate_figures(batches: Sequence[RecordedBatch], length: int) -> Floats:
    """Requests and hits of the canary and of the baseline (4 x length); zeros where there is no data."""
    rows = [(*_pair(batch.canary), *_pair(batch.baseline)) for batch in batches]
    result = np.zeros((4, length))
    if rows:
        result[:, : len(rows)] = np.array(rows, dtype=np.float64).T
    return result


def _figures(batches: Sequence[Sequence[RecordedBatch]]) -> Floats:
    """By batch, T x 4 x R; the shorter ones go on without data."""
    longest = max((len(one) for one in batches), default=0)
    return np.stack([rate_figures(one, longest) for one in batches], axis=2).transpose(1, 0, 2)


def _pair(side: Side | None) -> tuple[int, int]:
    return (side.n, side.x) if isinstance(side, RateSide) else (0, 0)


def rate_rules(metrics: Sequence[RecordedMetric], *, down: bool) -> Rules:
    """What each metric tolerates, and what must be excluded; of requests that are no hits where `down` is worse."""
    ratio = np.array([one.tolerance.ratio for one in metrics])
    floor = np.array([one.tolerance.floor for one in metrics])
    if down:
        tolerated, margin = 1 / ratio, 1 / (ratio * MARGIN_DOWN)
        # of those that are not hits: 1 - c <= r (1 - b) + 1 - r + d
        return Rules(Line(tolerated, 1 - tolerated + floor), Line(margin, 1 - margin + floor + MARGIN_FLOOR))
    return Rules(Line(ratio, floor), Line(ratio * MARGIN_UP, floor + MARGIN_FLOOR))


def rate_counts(figures: Floats, *, down: bool) -> Counts:
    """Figures (4 x R) as counts of what should not be."""
    canary_of, canary_hits, baseline_of, baseline_hits = figures
    if down:
        return Counts(canary_of, canary_of - canary_hits, baseline_of, baseline_of - baseline_hits)
    return Counts(canary_of, canary_hits, baseline_of, baseline_hits)


def _original(figures: Floats, *, down: bool) -> Floats:
    if not down:
        return figures
    canary_of, canary_hits, baseline_of, baseline_hits = figures
    return np.stack([canary_of, canary_of - canary_hits, baseline_of, baseline_of - baseline_hits])


def _track(metric: RecordedMetric, table: Floats, to_go: float) -> Track:
    known, evidence, suspicion, safety, dispersion, requests, *figures = table.T
    canary_of, canary_hits, baseline_of, baseline_hits = figures
    canary, baseline = canary_hits / np.maximum(canary_of, 1.0), baseline_hits / np.maximum(baseline_of, 1.0)
    any_data = (canary_of > 0) & (baseline_of > 0)
    ratio = ((canary_hits + 0.5) / (canary_of + 1.0)) / ((baseline_hits + 0.5) / (baseline_of + 1.0))
    variance = (1 - canary) / (canary_hits + 0.5) + (1 - baseline) / (baseline_hits + 0.5)
    nan = np.full(len(known), np.nan)
    return Track(
        known=known > 0,
        log_evidence=evidence,
        log_suspicion=suspicion,
        serious=any_data & (canary_of >= LEAST_TO_FAIL) & passes_gate(metric, canary, baseline),
        safe=(np.maximum.accumulate(safety) >= -np.log(SAFE_LEVEL)) & (requests >= LEAST_TO_PASS),
        to_go=max(to_go, batches_to_pass(requests, known)),
        canary=np.where(any_data, canary, np.nan),
        baseline=np.where(any_data, baseline, np.nan),
        ratio=np.where(any_data, ratio, np.nan),
        spread=np.where(any_data, np.sqrt(dispersion * variance), np.nan),
        requests=canary_of,
        quantile=nan,
        grows=np.zeros(len(known), dtype=np.bool_),
    )


def passes_gate(metric: RecordedMetric, canary: Floats, baseline: Floats) -> Flags:
    """Whether the canary's share is so much worse than the baseline's that it matters."""
    if metric.worse is Worse.DOWN:
        return (canary * metric.gate <= baseline) & (canary <= baseline - metric.tolerance.floor)
    return (canary >= baseline * metric.gate) & (canary >= baseline + metric.tolerance.floor)
