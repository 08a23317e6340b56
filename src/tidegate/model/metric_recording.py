"""The readings of a metric in the form in which figures are judged, kept in a file, and judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidegate.model.metric import Counted, Figures, Measured, MetricReading, MetricSeries, Spread
from tidegate.model.metric_buckets import aligned
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


def recorded_metric(series: MetricSeries) -> RecordedMetric:
    """A metric with a batch for each reading, and what is remembered of it as batches of one version beside itself.

    It ran alone; two batches after one another stand for two sides. What changed between them counts as chance, so
    that who learns from it is rather too careful. Counts of sources that extrapolate (as Prometheus does) are rounded
    to whole ones.
    """
    rule = series.rule
    before = [batch.figures for batch in series.history]
    buckets = _buckets(series.readings, before)
    return RecordedMetric(
        name=rule.name,
        kind=rule.kind,
        batches=tuple(
            RecordedBatch(_side(one.canary, rule.kind, buckets), _side(one.baseline, rule.kind, buckets))
            for one in series.readings
        ),
        history=tuple(
            RecordedBatch(_side(one, rule.kind, buckets), _side(other, rule.kind, buckets))
            for one, other in zip(before[::2], before[1::2], strict=False)
        ),
        worse=rule.worse,
        tolerance=Tolerance(1.0 + rule.tolerance),
        gate=rule.gate or 1.0,
        weight=rule.weight or 1.0,
        edges=next((one.edges for one in buckets.values()), ()),
        mann_whitney=rule.comparison,
        threshold=rule.threshold,
    )


def _buckets(readings: Iterable[MetricReading], before: Iterable[Figures]) -> Mapping[Spread, Spread]:
    """Each distribution with the edges that all have."""
    sides = [side for one in readings for side in (one.canary, one.baseline)]
    spreads = list(dict.fromkeys(one for one in (*sides, *before) if isinstance(one, Spread)))
    return dict(zip(spreads, aligned(spreads), strict=True))


def _side(figures: Figures | None, kind: MetricKind, buckets: Mapping[Spread, Spread]) -> Side | None:
    """One side of a batch; None for figures of another kind, of a time when the file said something else."""
    match figures:
        case Counted(x=x, n=n) if kind is MetricKind.RATE and n is not None:
            of = round(n)
            return RateSide(of, min(round(x), of))
        case Spread() if kind is MetricKind.HISTOGRAM:
            return HistogramSide(tuple(round(one) for one in buckets[figures].counts))
        case Measured(values=values) if kind is MetricKind.VALUES:
            return ValuesSide(values)
        case _:
            return None
