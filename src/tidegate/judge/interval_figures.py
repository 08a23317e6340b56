"""Recorded batches as figures of intervals, for the methods that judge one figure an interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, isnan, nan

from tidegate.model.recording import HistogramSide, RateSide, RecordedBatch, RecordedMetric, Side, ValuesSide


@dataclass(frozen=True, slots=True)
class Figure:
    """What one side showed in an interval, NaN where it has no data; of `weight` requests or values."""

    value: float
    weight: int


NOTHING = Figure(nan, 0)

_LARGEST = 1e150
"""Of a value: sums and differences of such have an end."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`last` is the interval's last batch, counted from 0."""

    last: int
    batches: Sequence[RecordedBatch]


def intervals(metric: RecordedMetric, length: int) -> Iterator[Interval]:
    """The metric's batches, so many at a time; the last interval may be shorter."""
    for begin in range(0, len(metric.batches), length):
        batches = metric.batches[begin : begin + length]
        yield Interval(begin + len(batches) - 1, batches)


def figure(metric: RecordedMetric, sides: Sequence[Side | None], quantile: float | None) -> Figure:
    """One side of an interval as a single figure: a rate's x of n; a histogram's quantile, or its mean; the mean of
    values."""
    known = [side for side in sides if side is not None]
    rates = [side for side in known if isinstance(side, RateSide)]
    if rates:
        n = sum(side.n for side in rates)
        return Figure(sum(side.x for side in rates) / n, n) if n else NOTHING
    histograms = [side.counts for side in known if isinstance(side, HistogramSide)]
    if histograms:
        counts = [sum(places) for places in zip(*histograms, strict=True)]
        return _of_histogram(metric.edges, counts, quantile)
    values = [value for value in single_values(known) if not isnan(value)]
    return Figure(fsum(values) / len(values), len(values)) if values else NOTHING


def single_values(sides: Sequence[Side | None]) -> list[float]:
    """Every value of a metric of values; NaN for a batch without any, as for a value that is missing or without end."""
    values: list[float] = []
    for side in sides:
        values.extend(side.values if isinstance(side, ValuesSide) and side.values else (nan,))
    return [value if abs(value) <= _LARGEST else nan for value in values]


def _of_histogram(edges: Sequence[float], counts: Sequence[int], quantile: float | None) -> Figure:
    """The mean takes all of a bucket for its middle, a quantile takes it for spread evenly (as Prometheus does); what
    is above the last edge is taken for that edge."""
    total = sum(counts)
    if not total:
        return NOTHING
    lower, upper = (0.0, *edges), (*edges, edges[-1])
    if quantile is None:
        middles = fsum(count * (low + high) / 2 for count, low, high in zip(counts, lower, upper, strict=True))
        return Figure(middles / total, total)
    below, wanted = 0.0, quantile * total
    for count, low, high in zip(counts, lower, upper, strict=True):
        if count and below + count >= wanted:
            return Figure(low + (high - low) * (wanted - below) / count, total)
        below += count
    return Figure(edges[-1], total)
