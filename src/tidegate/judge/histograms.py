"""Recorded metrics of kind "histogram": latency, and other distributions over requests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.latency import QUANTILES, Histograms, Slowness, quantiles_of
from tidegate.judge.tracks import LEAST_TO_FAIL, LEAST_TO_PASS, SAFE_LEVEL, Pace, Track, batches_to_pass
from tidegate.model.recording import HistogramSide, RecordedBatch, RecordedMetric, Side

LEAST_MARGIN, MARGIN = 0.25, 2.5
"""What must be excluded to pass: two and a half times the tolerance, and a quarter slower at least."""

SURE_PART = 0.5
"""It fails where it is slower by this part of the tolerance for certain, and by the whole of it to be seen."""


def track_histograms(metrics: Sequence[RecordedMetric], pace: Pace) -> list[Track]:
    """The tracks of metrics with the same edges, judged at once."""
    edges = np.array(metrics[0].edges)
    tolerance = np.array([one.tolerance.ratio - 1 for one in metrics])
    floor = np.array([one.tolerance.floor for one in metrics])
    slowness = Slowness(
        tolerated=1 + SURE_PART * tolerance,
        margin=1 + np.maximum(LEAST_MARGIN, MARGIN * tolerance),
        floor=np.repeat(floor, len(QUANTILES)),
    )
    state = Histograms.new(len(metrics), edges, np.array(QUANTILES), pace.horizon, pace.lengths)
    for canary, baseline in histogram_figures([one.history for one in metrics], len(edges)):
        state = state.learns(canary, baseline)
    state = state.forgets_canary()
    seen = []
    requests = np.zeros(len(metrics))
    for canary, baseline in histogram_figures([one.batches for one in metrics], len(edges)):
        state = state.after(canary, baseline, slowness)
        known = (canary.sum(axis=1) > 0) & (baseline.sum(axis=1) > 0)
        requests = requests + canary.sum(axis=1) * known
        seen.append(np.stack([known.astype(np.float64), requests, *_shown(state)]))
    table = np.array(seen).reshape(len(seen), 8, len(metrics))
    to_go = state.rows.batches_to(-np.log(SAFE_LEVEL)).reshape(state.edge.shape).max(axis=1)
    return [_track(one, table[: len(one.batches), :, place], float(to_go[place])) for place, one in enumerate(metrics)]


def histogram_figures(batches: Sequence[Sequence[RecordedBatch]], edges: int) -> list[tuple[Floats, Floats]]:
    """By batch the counts of both sides, R x E + 1 each; zeros where there is no data."""
    longest = max((len(one) for one in batches), default=0)
    sides = np.zeros((longest, 2, len(batches), edges + 1))
    for place, one in enumerate(batches):
        for number, batch in enumerate(one):
            for side, counts in enumerate((_counted(batch.canary), _counted(batch.baseline))):
                if counts:
                    sides[number, side, place] = counts
    return [(canary, baseline) for canary, baseline in sides]


def _counted(side: Side | None) -> tuple[int, ...]:
    return side.counts if isinstance(side, HistogramSide) else ()


def _shown(state: Histograms) -> list[Floats]:
    """Evidence, safety, and the quantile that speaks loudest with its figures; R values each."""
    shape = state.edge.shape
    evidence = state.rows.harm.log_total().reshape(shape)
    loudest = evidence.argmax(axis=1)[:, None]
    figures = [quantiles_of(state.edges, side, state.quantiles) for side in (state.canary, state.baseline)]
    return [
        np.logaddexp.reduce(evidence, axis=1) - np.log(shape[1]),
        state.rows.log_safety().reshape(shape).min(axis=1),
        *(np.take_along_axis(one, loudest, axis=1)[:, 0] for one in figures),
        state.quantiles[loudest[:, 0]],
        state.rows.dispersion.factor().reshape(shape).max(axis=1),
    ]


def _track(metric: RecordedMetric, table: Floats, to_go: float) -> Track:
    known, requests, evidence, safety, canary, baseline, quantile, _ = table.T
    ratio = np.divide(canary, baseline, out=np.full_like(canary, np.nan), where=baseline > 0)
    gate = max(metric.gate, metric.tolerance.ratio)
    return Track(
        known=known > 0,
        log_evidence=evidence,
        log_suspicion=evidence,
        serious=(requests >= LEAST_TO_FAIL) & (np.nan_to_num(ratio, nan=np.inf) >= gate * (1 - 1e-9)) & (canary > 0),
        safe=(np.maximum.accumulate(safety) >= -np.log(SAFE_LEVEL)) & (requests >= LEAST_TO_PASS),
        to_go=max(to_go, batches_to_pass(requests, known)),
        canary=canary,
        baseline=baseline,
        ratio=ratio,
        spread=np.full(len(ratio), np.nan),
        requests=requests,
        quantile=quantile,
        grows=np.zeros(len(ratio), dtype=np.bool_),
    )
