"""The metrics of a case: errors and latency, each with the question that is asked about it.

Beside a baseline the new deployment is compared with it, batch by batch, over the whole rollout. Where the baseline
has no traffic (a first release, 100%) errors are held against the objective, and latency against what the baseline
did earlier in the same rollout.

Latency is compared as a share of slow requests. Of each quantile of the rule, the bucket edge e at or above it is
read off the baseline's earlier batches; if the new deployment is at most `tolerance` slower, no more of its requests
take longer than (1 + tolerance) e than of the baseline's take longer than e. The next edge at or above
(1 + tolerance) e is used, which errs on the side of no alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.judge.bounds import upper_bound
from tidegate.judge.evidence import Floats
from tidegate.judge.question import Counts, Gate, Margin, Question
from tidegate.judge.table import Flags, Table
from tidegate.model.pipeline import LatencyRule

DEFAULT_AVAILABILITY = 0.99
"""What is asked of a deployment without a baseline where the file gives no objective."""

ERRORS_GATE = Gate(ratio=1.25, floor=0.0002)
LATENCY_GATE = Gate(ratio=1.0, floor=0.0)
"""The tolerance is in the edges already."""
HISTORY_GATE = Gate(ratio=1.5, floor=0.0)
"""Latency moves by itself in the course of a day, and nothing runs beside it that would show it."""

ERRORS_MARGIN = Margin(ratio=1.5, plus=0.02)
LATENCY_MARGIN = Margin(ratio=1.5, plus=0.05)

ERRORS_PART, LATENCY_PART, OBJECTIVE_PART, HISTORY_PART, HISTORY_BOUND_PART = 0.4, 0.35, 0.1, 0.1, 0.05
"""How the false-alarm level is divided; the parts add up to 1, and latency's are divided again by quantiles."""

LEAST_SLOWNESS = 5.0
"""Milliseconds. Less is what a busy machine does to one process and not to another, and no user notices it."""

LEAST_HISTORY = 50
"""Requests to the baseline before a quantile of its latency is read off."""


@dataclass(frozen=True, slots=True)
class SlowerThan:
    """The bucket edges, in milliseconds, above which a request counts as slow on either side."""

    canary: float
    other: float


@dataclass(frozen=True, slots=True)
class Latency:
    """A quantile of latency on both sides in milliseconds, None where there are no figures."""

    canary: float | None
    other: float | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, its question, and what its figures mean.

    `is_asked_now` tells the metrics that this step depends on from those that only carry earlier evidence.
    """

    name: str
    question: Question
    is_asked_now: bool
    slower_than: SlowerThan | None = None
    latency: Latency | None = None
    limit_words: str = ""
    """What sets the limit, where there is one."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics of a case; `without_figures` and `not_judged` say in words what is lacking, and what cannot be.

    Figures that should be there and are not are no pass; what cannot be judged at all does not stand in the way.
    """

    metrics: tuple[Metric, ...]
    without_figures: tuple[str, ...] = ()
    not_judged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which batches serve for what: `beside` for the comparison, `alone` without a baseline, `history` for its past."""

    beside: Flags
    alone: Flags
    history: Flags
    now: Flags

    @classmethod
    def of(cls, table: Table, step: int, *, expects_baseline: bool) -> Scope:
        """The scope at `step`. What an old deployment still ends there after its last share is no comparison."""
        here = table.step == step
        stragglers = here & (not expects_baseline)
        return cls(
            beside=table.canary.known & table.baseline.known & ~stragglers,
            alone=table.canary.known & stragglers,
            history=table.baseline.known & ~stragglers,
            now=here,
        )


def metrics_of(table: Table, scope: Scope, rule: LatencyRule, availability: float | None, level: float) -> Metrics:
    """What is asked at the step, and what is still known from earlier ones."""
    without_baseline = bool(scope.alone.any())
    part = level / max(1, len(rule.quantiles))
    metrics = [
        _errors_beside(table, scope, level, asked=not without_baseline),
        *_present(
            _latency_beside(table, scope, quantile, rule.tolerance, part * LATENCY_PART, asked=not without_baseline)
            for quantile in rule.quantiles
        ),
    ]
    if without_baseline:
        metrics.append(_errors_alone(table, scope, availability, level))
        metrics += _present(_latency_alone(table, scope, quantile, rule.tolerance, part) for quantile in rule.quantiles)
    if not rule.quantiles:
        return Metrics(tuple(metrics))
    if any(metric.latency and metric.is_asked_now for metric in metrics):
        return Metrics(tuple(metrics), without_figures=_sides_without_latency(table, scope, alone=without_baseline))
    return Metrics(tuple(metrics), *_no_latency(table, scope, rule.tolerance, alone=without_baseline))


def _present(metrics: Iterable[Metric | None]) -> list[Metric]:
    return [metric for metric in metrics if metric]


def _no_latency(
    table: Table, scope: Scope, tolerance: float, *, alone: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why latency is asked for and no question about it can be put: figures that lack, or what cannot be judged."""
    if len(table.edges) and not len(_edge_pairs(table.edges, tolerance)):
        return (), (f"latency is not judged: its buckets are too coarse for a tolerance of {tolerance:.0%}",)
    if alone:
        return (), ("latency is not judged: no other deployment was measured in this rollout",)
    return _sides_without_latency(table, scope, alone=False), ()


def _sides_without_latency(table: Table, scope: Scope, *, alone: bool) -> tuple[str, ...]:
    rows = scope.now & (scope.alone if alone else scope.beside)
    sides = [("new", table.canary)] if alone else [("new", table.canary), ("old", table.baseline)]
    return tuple(
        f"no latency of the {word} deployment was counted at this step"
        for word, column in sides
        if column.requests[rows].any() and not column.latency[rows].any()
    )


def _errors_beside(table: Table, scope: Scope, level: float, *, asked: bool) -> Metric:
    rows = scope.beside
    question = Question(
        canary=Counts(table.canary.errors * rows, table.canary.requests * rows),
        other=Counts(table.baseline.errors * rows, table.baseline.requests * rows),
        level=level * ERRORS_PART,
        gate=ERRORS_GATE,
        margin=ERRORS_MARGIN,
        in_step=scope.now & rows,
        seconds=table.seconds,
    )
    return Metric("errors", question, asked)


def _errors_alone(table: Table, scope: Scope, availability: float | None, level: float) -> Metric:
    rows = scope.alone
    question = Question(
        canary=Counts(table.canary.errors * rows, table.canary.requests * rows),
        other=round(1.0 - (DEFAULT_AVAILABILITY if availability is None else availability), 9),
        level=level * OBJECTIVE_PART,
        gate=ERRORS_GATE,
        margin=ERRORS_MARGIN,
        in_step=rows,
        seconds=table.seconds,
    )
    words = "that are allowed where no objective is given" if availability is None else "that the objective allows"
    return Metric("errors (objective)", question, is_asked_now=True, limit_words=words)


def _latency_beside(
    table: Table, scope: Scope, quantile: float, tolerance: float, level: float, *, asked: bool
) -> Metric | None:
    pairs = _edge_pairs(table.edges, tolerance)
    if not len(pairs):
        return None
    before = np.cumsum(table.baseline.latency, axis=0) - table.baseline.latency
    edge = _edge_index(before, quantile, len(pairs))
    rows = scope.beside & (before.sum(axis=1) >= LEAST_HISTORY)
    in_step = scope.now & scope.beside
    question = Question(
        canary=_slower(table.canary.latency, pairs[edge], rows),
        other=_slower(table.baseline.latency, edge, rows),
        level=level,
        gate=LATENCY_GATE,
        margin=LATENCY_MARGIN,
        in_step=in_step,
        seconds=table.seconds,
    )
    latest = edge[-1]
    return Metric(
        f"latency p{quantile * 100:g}",
        question,
        asked,
        SlowerThan(float(table.edges[pairs[latest]]), float(table.edges[latest])),
        Latency(
            quantile_of(table.edges, table.canary.latency[in_step].sum(axis=0), quantile),
            quantile_of(table.edges, table.baseline.latency[in_step].sum(axis=0), quantile),
        ),
    )


def _latency_alone(table: Table, scope: Scope, quantile: float, tolerance: float, level: float) -> Metric | None:
    pairs = _edge_pairs(table.edges, tolerance)
    history = table.baseline.latency[scope.history].sum(axis=0)
    if not len(pairs) or history.sum() < LEAST_HISTORY:
        return None
    edge = int(_edge_index(history[None, :], quantile, len(pairs))[0])
    # any edge could have been chosen, so the bound must hold for all of them together
    slow = upper_bound(
        float(history[edge + 1 :].sum()), float(history.sum()), level * HISTORY_BOUND_PART / len(table.edges)
    )
    rows = scope.alone
    question = Question(
        canary=_slower(table.canary.latency, np.full(len(rows), pairs[edge]), rows),
        other=slow,
        level=level * HISTORY_PART,
        gate=HISTORY_GATE,
        margin=LATENCY_MARGIN,
        in_step=rows,
        seconds=table.seconds,
    )
    return Metric(
        f"latency p{quantile * 100:g} (before)",
        question,
        True,
        SlowerThan(float(table.edges[pairs[edge]]), float(table.edges[edge])),
        Latency(
            quantile_of(table.edges, table.canary.latency[rows].sum(axis=0), quantile),
            quantile_of(table.edges, history, quantile),
        ),
    )


def _edge_pairs(edges: Floats, tolerance: float) -> npt.NDArray[np.intp]:
    """For each edge e that has one, the index of the first edge at or above (1 + tolerance) e, and LEAST_SLOWNESS."""
    slower = np.maximum(edges * (1 + tolerance), edges + LEAST_SLOWNESS)
    wider = np.searchsorted(edges, slower * (1 - 1e-9))
    return wider[wider < len(edges)]


def _edge_index(counts: Floats, quantile: float, choices: int) -> npt.NDArray[np.intp]:
    """Row by row, the first of the first `choices` edges that is at or above the quantile, else the last of them."""
    reached = np.cumsum(counts, axis=1)[:, :choices] >= quantile * counts.sum(axis=1, keepdims=True)
    return np.where(reached.any(axis=1), reached.argmax(axis=1), choices - 1)


def _slower(latency: Floats, edge: npt.NDArray[np.intp], rows: Flags) -> Counts:
    total = latency.sum(axis=1)
    up_to = np.take_along_axis(np.cumsum(latency, axis=1), edge[:, None], axis=1)[:, 0]
    return Counts((total - up_to) * rows, total * rows)


def quantile_of(edges: Floats, counts: Floats, quantile: float) -> float | None:
    """The quantile of a histogram in milliseconds, by interpolation within its bucket; at most the last edge."""
    total = counts.sum()
    if not total:
        return None
    reached = np.cumsum(counts)
    place = int(np.argmax(reached >= quantile * total))
    if place >= len(edges):
        return float(edges[-1])
    low = float(edges[place - 1]) if place else 0.0
    before = float(reached[place] - counts[place])
    part = (quantile * float(total) - before) / float(counts[place]) if counts[place] else 0.0
    return low + part * (float(edges[place]) - low)
