"""What verification saw of a rollout, as a recording: to be kept in a file, and judged again with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from statistics import median
from typing import Any

from tidegate.model.figures import Batch, Counters
from tidegate.model.metric import Counted, HistoryBatch, MetricSeries, Spread
from tidegate.model.metric_history import ERRORS, LATENCY, side_by_side
from tidegate.model.metric_recording import recorded_metric, with_figures
from tidegate.model.pipeline import LatencyRule
from tidegate.model.recording import (
    HistogramSide,
    MetricKind,
    RateSide,
    RecordedBatch,
    RecordedMetric,
    Recording,
    Side,
    Tolerance,
    ValuesSide,
)

ERRORS_AS_JUDGED = RecordedMetric(ERRORS, MetricKind.RATE, (), tolerance=Tolerance(1.0, 0.0002), gate=1.25, weight=0.4)
LATENCY_AS_JUDGED = RecordedMetric(LATENCY, MetricKind.HISTOGRAM, (), weight=0.35)
"""With what the live judge goes by."""

OWN_WEIGHT = 0.25
"""Of all metrics of the service's own together, beside those of the router."""


def rollout_recording(
    latency: LatencyRule,
    batches: Sequence[Batch],
    series: Sequence[MetricSeries],
    history: Mapping[str, Sequence[HistoryBatch]],
) -> Recording:
    """All batches of a rollout, whatever the step. A metric of distributions without a common edge is left out."""
    slow = replace(LATENCY_AS_JUDGED, tolerance=Tolerance(1.0 + latency.tolerance))
    counted = [(_counted(one.canary), _counted(one.baseline)) for one in batches]
    spread = [(_spread(one.canary), _spread(one.baseline)) for one in batches]
    metrics = (
        with_figures(ERRORS_AS_JUDGED, counted, side_by_side(history.get(ERRORS, ()))),
        with_figures(slow, spread, side_by_side(history.get(LATENCY, ()))),
        *_own(series),
    )
    known = tuple(one for one in metrics if one.kind is not MetricKind.HISTOGRAM or one.edges)
    lengths = [(batch.end - batch.begin).total_seconds() for batch in batches]
    return Recording(known, batch_seconds=round(median(lengths), 3)) if lengths else Recording(known)


def _own(series: Sequence[MetricSeries]) -> Iterator[RecordedMetric]:
    recorded = [recorded_metric(one) for one in series]
    whole = sum(one.weight for one in recorded)
    for one in recorded:
        yield replace(one, weight=round(OWN_WEIGHT * one.weight / whole, 4))


def as_document(recording: Recording) -> dict[str, Any]:
    """The recording in the form of a judge file, but for what only the methods by name go by."""
    return {
        "method": recording.method.value,
        "alpha": recording.alpha,
        "batch_seconds": recording.batch_seconds,
        "metrics": [_metric(one) for one in recording.metrics],
    }


def _metric(metric: RecordedMetric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "kind": metric.kind.value,
        "worse": metric.worse.value,
        "tolerance": {"ratio": metric.tolerance.ratio, "floor": metric.tolerance.floor},
        "gate": metric.gate,
        "weight": metric.weight,
        **({"edges": list(metric.edges)} if metric.kind is MetricKind.HISTOGRAM else {}),
        "history": [_batch(one) for one in metric.history],
        "batches": [_batch(one) for one in metric.batches],
    }


def _batch(batch: RecordedBatch) -> dict[str, Any]:
    return {"canary": _side(batch.canary), "baseline": _side(batch.baseline)}


def _side(side: Side | None) -> Any:
    match side:
        case None:
            return None
        case RateSide(n=n, x=x):
            return {"n": n, "x": x}
        case HistogramSide(counts=counts):
            return {"counts": list(counts)}
        case ValuesSide(values=values):
            return [one if isfinite(one) else None for one in values]


def _counted(side: Counters | None) -> Counted | None:
    # the two counters are read one after the other: never more errors than requests
    return Counted(min(side.errors, side.requests), side.requests) if side else None


def _spread(side: Counters | None) -> Spread | None:
    return Spread(side.edges, side.latency) if side and side.latency else None
