"""Figures in the form in which they are judged, kept in a file, and judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tidegate.model.metric import Counted, Figures, Measured, MetricSeries, Spread
from tidegate.model.metric_buckets import above_zero, aligned
from tidegate.model.metric_history import after_one_another, side_by_side
from tidegate.model.recording import (
    HistogramSide,
    MetricKind,
    RateSide,
    RecordedBatch,
    RecordedMetric,
    Side,
    Tolerance,
    ValuesSide,
)

_Sides = Sequence[tuple[Figures | None, Figures | None]]


def recorded_metric(series: MetricSeries) -> RecordedMetric:
    """A metric with a batch for each reading, and with its history."""
    sides = [(one.canary, one.baseline) for one in series.readings]
    return with_figures(_bare(series), sides, side_by_side(series.history))


def recorded_after(series: MetricSeries, step: int) -> RecordedMetric:
    """A metric at a step at which the new deployment runs alone, and with its history.

    Batches of the old one alone come first: what it showed before the rollout and beside the new one. Those of the new
    one at the step follow.
    """
    earlier = (series.before, *series.readings) if series.before else series.readings
    before = [(None, one.baseline) for one in earlier if one.baseline]
    after = [(one.canary, None) for one in series.at_step(step) if one.canary]
    return with_figures(_bare(series), [*before, *after], after_one_another(series.history))


def _bare(series: MetricSeries) -> RecordedMetric:
    rule = series.rule
    return RecordedMetric(
        name=rule.name,
        kind=rule.kind,
        batches=(),
        worse=rule.worse,
        tolerance=Tolerance(rule.tolerated_ratio),
        gate=rule.seen_ratio,
        weight=rule.weight or 1.0,
        mann_whitney=rule.comparison,
        threshold=rule.threshold,
    )


def with_figures(metric: RecordedMetric, sides: _Sides, history: Iterable[tuple[Figures, Figures]]) -> RecordedMetric:
    """The metric with a batch for each pair (canary, baseline), and with history as one version beside itself.

    Counts of sources that extrapolate (as Prometheus does) are rounded to whole ones.
    """
    past = tuple(history)
    buckets = _buckets(one for pair in (*sides, *past) for one in pair)
    return replace(
        metric,
        batches=tuple(_batch(pair, metric.kind, buckets) for pair in sides),
        history=tuple(_batch(pair, metric.kind, buckets) for pair in past),
        edges=next((one.edges for one in buckets.values()), ()),
    )


def _buckets(figures: Iterable[Figures | None]) -> Mapping[Spread, Spread]:
    """Each distribution with the edges above zero that all have."""
    spreads = list(dict.fromkeys(one for one in figures if isinstance(one, Spread)))
    return dict(zip(spreads, map(above_zero, aligned(spreads)), strict=True))


def _batch(
    pair: tuple[Figures | None, Figures | None], kind: MetricKind, buckets: Mapping[Spread, Spread]
) -> RecordedBatch:
    canary, baseline = pair
    return RecordedBatch(_side(canary, kind, buckets), _side(baseline, kind, buckets))


def _side(figures: Figures | None, kind: MetricKind, buckets: Mapping[Spread, Spread]) -> Side | None:
    """One side of a batch; None for figures of another kind, of a time when the file said something else, and for
    distributions that have no edge in common."""
    match figures:
        case Counted(x=x, n=n) if kind is MetricKind.RATE and n is not None:
            of = round(n)
            return RateSide(of, min(round(x), of))
        case Spread() if kind is MetricKind.HISTOGRAM and buckets[figures].edges:
            return HistogramSide(tuple(round(one) for one in buckets[figures].counts))
        case Measured(values=values) if kind is MetricKind.VALUES:
            return ValuesSide(values)
        case _:
            return None
