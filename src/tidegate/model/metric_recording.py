"""Figures in the form in which they are judged, kept in a file, and judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tidegate.model.metric import Counted, Figures, HistoryBatch, Measured, MetricSeries, Spread
from tidegate.model.metric_buckets import above_zero, aligned
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
    return with_figures(_bare(series), [(one.canary, one.baseline) for one in series.readings], series.history)


def recorded_after(series: MetricSeries, step: int) -> RecordedMetric:
    """A metric at a step at which the new deployment runs alone, and with its history.

    Batches of the old one alone come first: what it showed before the rollout and beside the new one. Those of the new
    one at the step follow.
    """
    earlier = (series.before, *series.readings) if series.before else series.readings
    before = [(None, one.baseline) for one in earlier if one.baseline]
    after = [(one.canary, None) for one in series.at_step(step) if one.canary]
    return with_figures(_bare(series), [*before, *after], series.history)


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


def with_figures(metric: RecordedMetric, sides: _Sides, history: Sequence[HistoryBatch]) -> RecordedMetric:
    """The metric with a batch for each pair (canary, baseline), and the history as one version beside itself.

    It ran alone; two batches after one another stand for two sides. What changed between them counts as chance, so
    that who learns from it is rather too careful. Counts of sources that extrapolate (as Prometheus does) are rounded
    to whole ones.
    """
    before = [batch.figures for batch in history]
    buckets = _buckets(one for pair in (*sides, *((figures, None) for figures in before)) for one in pair)
    pairs = zip(before[::2], before[1::2], strict=False)
    return replace(
        metric,
        batches=tuple(_batch(pair, metric.kind, buckets) for pair in sides),
        history=tuple(_batch(pair, metric.kind, buckets) for pair in pairs),
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
