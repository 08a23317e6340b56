"""What a judge knows of a rollout after some batches: carried on batch by batch, so that a long one costs no more.

Beside a baseline, errors and latency are compared with it. Where it has no traffic (a first release, 100%) errors are
held against the objective, latency against what the baseline did earlier in the same rollout, and both against what is
usual at this time of the day; these look at such batches only, so that a common incident beside a running baseline is
no evidence against an objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.bounds import upper_bound
from tidegate.judge.latency import LEAST_KNOWN, Histograms, Slowness, above_edges
from tidegate.judge.limits import (
    BOUND_LEVEL,
    MOST,
    STEP_MARGIN,
    STEP_MARGIN_FLOOR,
    STEP_SLOWNESS_FLOOR,
    alone,
    rules_at,
    slow_excluded,
)
from tidegate.judge.proportions import ERROR_HARMS, SHIFT_HARMS, Rows, Rules
from tidegate.judge.tracks import Pace
from tidegate.judge.two_proportions import Counts, Line
from tidegate.judge.usual import AtThisTime
from tidegate.model.figures import Batch, Counters
from tidegate.model.metric import Counted, Figures, HistoryBatch, Spread
from tidegate.model.metric_history import ERRORS, LATENCY, side_by_side
from tidegate.model.pipeline import LatencyRule
from tidegate.model.usual import NOTHING_USUAL, Usual

ERRORS_FLOOR = 0.0002

STEP_SLOWNESS = 2.5
"""Of latency so many times the tolerance must be excluded before a step passes."""

SURE_PART = 0.5
"""Latency fails where it is slower by this part of the tolerance for certain, and by the whole of it to be seen."""

LEAST_SLOWNESS = 5.0
"""Milliseconds. Less is what a busy machine does to one process and not to another, and no user notices it."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What a rollout is held against."""

    latency: LatencyRule
    objective: float
    """The share of requests that may fail where there is no baseline."""

    edges: tuple[float, ...]
    began: datetime
    usual: Usual = NOTHING_USUAL

    @property
    def quantiles(self) -> Floats:
        """The quantiles of latency that are judged; none where there are no histograms."""
        return np.array(self.latency.quantiles if self.edges else (), dtype=np.float64)

    @property
    def slowness(self) -> Slowness:
        """How much slower the new deployment may be."""
        tolerance = np.array([self.latency.tolerance])
        return Slowness(
            tolerated=1 + SURE_PART * tolerance,
            margin=1 + STEP_SLOWNESS * np.maximum(tolerance, 0.1),
            floor=np.zeros(len(self.quantiles)),
            margin_floor=STEP_SLOWNESS_FLOOR,
        )


@dataclass(frozen=True, slots=True)
class RolloutState:
    """`errors` and `latency` beside the baseline, `objective`, `before` and `usual` without it.

    `bounds` are those of the baseline's earlier shares of slow requests, `limits` the same as they usually move until
    now (Q each, NaN where unknown). `seen` is what each side had of latency at the step (2 x E + 1).
    """

    standard: Standard
    errors: Rows
    latency: Histograms
    objective: Rows
    before: Rows
    bounds: Floats
    limits: Floats
    usual: AtThisTime
    seen: Floats

    @classmethod
    def new(cls, standard: Standard, batch_seconds: float) -> RolloutState:
        """Before the first batch."""
        pace = Pace.of(batch_seconds)
        count = len(standard.quantiles)
        edges = np.array(standard.edges, dtype=np.float64)
        latency = Histograms.new(1, edges, standard.quantiles, pace.horizon, pace.lengths, LEAST_SLOWNESS)
        return cls(
            standard,
            Rows.new(1, ERROR_HARMS, pace.horizon, pace.lengths),
            latency,
            Rows.new(1, ERROR_HARMS, pace.horizon, pace.lengths),
            Rows.new(count, SHIFT_HARMS, pace.horizon, pace.lengths),
            np.full(count, np.nan),
            np.full(count, np.nan),
            AtThisTime.new(standard.usual, standard.began, latency, standard.latency.tolerance, pace),
            np.zeros((2, len(edges) + 1)),
        )

    def knowing(self, history: Mapping[str, Sequence[HistoryBatch]], batch_seconds: float) -> RolloutState:
        """With what one version showed lately while nothing was wrong: how much its figures vary, and its latency.

        Batches of another length say nothing of these.
        """
        errors, latency = self.errors, self.latency
        for pair in _pairs(history.get(ERRORS, ()), batch_seconds):
            if counts := _counted(pair):
                errors = errors.learns(counts)
        for one, other in _pairs(history.get(LATENCY, ()), batch_seconds):
            sides = (self._spread(one), self._spread(other))
            if len(self.standard.quantiles) and all(side.any() for side in sides):
                latency = latency.learns(sides[0][None], sides[1][None])
        return replace(self, errors=errors, latency=latency.forgets_canary())

    def at_new_step(self) -> RolloutState:
        """Evidence of harm goes on, that for passing begins anew."""
        return replace(
            self,
            errors=self.errors.at_new_step(),
            latency=replace(self.latency, rows=self.latency.rows.at_new_step()),
            seen=np.zeros_like(self.seen),
        )

    def after(self, batch: Batch, *, is_alone: bool) -> RolloutState:
        """With one more batch; `is_alone` says that the baseline has no share of the traffic at its step."""
        if batch.canary is None:
            return self if is_alone else self._learns(batch)
        if is_alone:
            return self._alone(batch.canary, batch.begin)
        if batch.baseline is None:
            return self
        return self._beside(batch.canary, batch.baseline)

    def _beside(self, canary: Counters, baseline: Counters) -> RolloutState:
        one = np.ones(1)
        rules = Rules(Line(one, one * ERRORS_FLOOR), Line(one * STEP_MARGIN, one * STEP_MARGIN_FLOOR))
        latency = (self._latency(canary), self._latency(baseline))
        state = replace(
            self, errors=self.errors.after(_counts(canary, baseline), rules), seen=self.seen + np.stack(latency)
        )
        if not len(self.standard.quantiles):
            return state
        return replace(state, latency=self.latency.after(latency[0][None], latency[1][None], self.standard.slowness))

    def _learns(self, batch: Batch) -> RolloutState:
        """A batch without data of the new deployment still tells of the old one."""
        if batch.baseline is None or not len(self.standard.quantiles):
            return self
        nothing = np.zeros((1, self.seen.shape[1]))
        return replace(
            self, latency=self.latency.after(nothing, self._latency(batch.baseline)[None], self.standard.slowness)
        )

    def _alone(self, canary: Counters, begin: datetime) -> RolloutState:
        limit = np.array([self.standard.objective])
        latency = self._latency(canary)
        counts = _counts(canary, None)
        state = replace(
            self,
            objective=self.objective.after(counts, rules_at(limit, limit * STEP_MARGIN + STEP_MARGIN_FLOOR), limit),
            usual=self.usual.after(begin, counts, latency, ERRORS_FLOOR),
            seen=self.seen + np.stack([latency, np.zeros_like(latency)]),
        )
        return state._beside_the_past(latency) if len(self.standard.quantiles) else state

    def _beside_the_past(self, canary: Floats) -> RolloutState:
        """Latency against the bound of what the baseline did before, and of how that usually moves with the day."""
        history = self.latency.chosen()
        total = float(history.baseline.sum())
        if total < LEAST_KNOWN:
            return self
        bounds = self.bounds
        if np.isnan(bounds).any():
            slower = history.above_faster(1 + 2 * (self.standard.slowness.tolerated - 1))[0]
            bounds = np.array([upper_bound(float(one) * total, total, BOUND_LEVEL) for one in slower])
        edges = history.compared[0]
        limits = np.clip(bounds * self.usual.risen(edges), 0.0, MOST)
        above = above_edges(canary, edges)
        counts = alone(np.full(len(above), canary.sum()), above)
        share = np.minimum(history.above()[0], limits)
        before = self.before.after(counts, rules_at(limits, slow_excluded(limits)), share)
        return replace(self, latency=history, bounds=bounds, limits=limits, before=before)

    def _spread(self, figures: Figures) -> Floats:
        if isinstance(figures, Spread) and figures.edges == self.standard.edges:
            return np.array(figures.counts, dtype=np.float64)
        return np.zeros(self.seen.shape[1])

    def _latency(self, side: Counters) -> Floats:
        if side.latency and side.edges == self.standard.edges:
            return np.array(side.latency, dtype=np.float64)
        return np.zeros(self.seen.shape[1])


def _counts(canary: Counters, baseline: Counters | None) -> Counts:
    # the two counters are read one after the other: never more errors than requests
    sides = [canary, baseline] if baseline else [canary]
    of, hits = (
        [np.array([float(one)]) for one in figures]
        for figures in zip(*((side.requests, min(side.errors, side.requests)) for side in sides), strict=True)
    )
    return Counts(of[0], hits[0], of[1], hits[1]) if baseline else alone(of[0], hits[0])


def _pairs(history: Sequence[HistoryBatch], batch_seconds: float) -> Iterator[tuple[Figures, Figures]]:
    return side_by_side(one for one in history if 0.5 <= one.seconds / batch_seconds <= 2)


def _counted(pair: tuple[Figures, Figures]) -> Counts | None:
    one, other = pair
    if not (isinstance(one, Counted) and isinstance(other, Counted)) or one.n is None or other.n is None:
        return None
    figures = (one.n, min(one.x, one.n), other.n, min(other.x, other.n))
    return Counts(*(np.array([float(figure)]) for figure in figures))
