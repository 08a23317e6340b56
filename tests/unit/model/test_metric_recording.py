"""Readings in the form that judges take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.model.ids import RolloutId
from tidegate.model.metric import (
    Counted,
    Figures,
    HistoryBatch,
    Measured,
    MetricReading,
    MetricRule,
    MetricSeries,
    SourceName,
    Spread,
)
from tidegate.model.metric_recording import recorded_after, recorded_metric
from tidegate.model.recording import (
    HistogramSide,
    MetricKind,
    RateSide,
    RecordedBatch,
    Tolerance,
    ValuesSide,
    Worse,
)

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDERS = MetricRule("orders", SourceName.COMMAND)


def series(kind: MetricKind, *sides: tuple[Figures | None, Figures | None], **keys: object) -> MetricSeries:
    rule = MetricRule("orders", SourceName.COMMAND, kind=kind, **keys)  # type: ignore[arg-type]
    moments = [BEGIN + timedelta(minutes=index) for index in range(len(sides))]
    return MetricSeries(
        rule,
        tuple(
            MetricReading(RolloutId("r"), "orders", at, at + timedelta(minutes=1), 0, canary, baseline)
            for at, (canary, baseline) in zip(moments, sides, strict=True)
        ),
    )


def test_counts_become_whole_and_a_side_without_data_stays_none() -> None:
    found = recorded_metric(
        series(MetricKind.RATE, (Counted(1.6, 10), Counted(9.7, 9)), (None, Counted(0, 20)), worse=Worse.DOWN, gate=1.5)
    )
    assert found.batches == (
        RecordedBatch(RateSide(10, 2), RateSide(9, 9)),
        RecordedBatch(None, RateSide(20, 0)),
    )
    assert (found.worse, found.gate, found.weight, found.tolerance) == (Worse.DOWN, 1.5, 1.0, Tolerance(1.1))


def test_distributions_get_the_same_edges_in_all_batches() -> None:
    found = recorded_metric(
        series(
            MetricKind.HISTOGRAM, (Spread((1, 2), (0, 5, 0)), Spread((4, 8), (0, 3, 0))), (None, Spread((2,), (6, 0)))
        )
    )
    assert found.edges == (2, 4, 8)
    assert found.batches[0] == RecordedBatch(HistogramSide((5, 0, 0, 0)), HistogramSide((0, 0, 3, 0)))
    assert found.batches[1] == RecordedBatch(None, HistogramSide((6, 0, 0, 0)))


def test_where_the_new_one_runs_alone_the_old_ones_figures_come_first() -> None:
    readings = series(MetricKind.RATE, (Counted(1, 10), Counted(2, 20)), (Counted(3, 30), None)).readings
    before = replace(readings[0], step=-1, canary=None, baseline=Counted(9, 90))
    found = recorded_after(MetricSeries(ORDERS, (readings[0], replace(readings[1], step=1)), before), step=1)
    assert found.batches == (
        RecordedBatch(None, RateSide(90, 9)),
        RecordedBatch(None, RateSide(20, 2)),
        RecordedBatch(RateSide(30, 3), None),
    )


def test_distributions_that_nothing_can_be_told_of_are_no_data() -> None:
    found = recorded_metric(series(MetricKind.HISTOGRAM, (Spread((5,), (2, 2)), Spread((6,), (1, 1)))))
    assert found.batches == (RecordedBatch(None, None),)


def test_what_lies_at_zero_and_below_is_in_the_first_bucket() -> None:
    below = Spread((-1, 0, 2), (1, 2, 3, 4))
    found = recorded_metric(series(MetricKind.HISTOGRAM, (below, Spread((-1, 0, 2), (0, 0, 1, 1)))))
    assert found.edges == (2,)
    assert found.batches == (RecordedBatch(HistogramSide((6, 4)), HistogramSide((1, 1))),)


def test_values_are_values_and_history_is_one_version_beside_itself() -> None:
    batches = tuple(HistoryBatch(BEGIN + timedelta(minutes=at), 60, Measured((at,))) for at in range(5))
    found = recorded_metric(replace(series(MetricKind.VALUES, (Measured((1.0, 2.0)), None)), history=batches))
    assert found.batches == (RecordedBatch(ValuesSide((1.0, 2.0)), None),)
    assert found.history == (
        RecordedBatch(ValuesSide((0,)), ValuesSide((1,))),
        RecordedBatch(ValuesSide((2,)), ValuesSide((3,))),
    )


def test_figures_of_another_kind_are_no_data() -> None:
    found = recorded_metric(series(MetricKind.VALUES, (Counted(1, 2), Spread((1,), (1, 1)))))
    assert found.batches == (RecordedBatch(None, None),)
