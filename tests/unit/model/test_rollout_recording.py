"""What verification saw, in a file: it reads back as it was, and is judged as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tidegate.config import judge_file
from tidegate.judge.methods import judge_recordings
from tidegate.model.figures import Batch, Counters
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
)
from tidegate.model.pipeline import LatencyRule
from tidegate.model.recording import HistogramSide, MetricKind, RateSide, RecordedBatch, Recording, Worse
from tidegate.model.rollout_recording import as_document, rollout_recording
from tidegate.model.verdict import Verdict

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EDGES = (1.0, 5.0, 10.0)


def counters(requests: int, errors: int) -> Counters:
    return Counters(requests, errors, EDGES, (requests - 3, 1, 1, 1))


def batch(number: int, canary: Counters | None, baseline: Counters | None) -> Batch:
    begin = NOON + timedelta(seconds=10 * number)
    return Batch(begin, begin + timedelta(seconds=10), number // 10, canary, baseline)


def own(name: str, canary: Figures, baseline: Figures) -> MetricSeries:
    """A rate that is worse when it goes down, with one reading."""
    rule = MetricRule(name, SourceName.COMMAND, worse=Worse.DOWN)
    return MetricSeries(rule, (MetricReading(RolloutId("r"), name, NOON, NOON, 0, canary, baseline),))


def recording(errors: int) -> Recording:
    batches = [batch(number, counters(100, errors), counters(400, 4)) for number in range(30)]
    batches.append(batch(30, None, counters(400, 4)))
    orders = own("orders", Counted(9.6, 100), Counted(40, 400))
    memory = own("memory", Measured((1.5,)), Measured((1.4, 1.6)))
    history = {"errors": [HistoryBatch(NOON, 10, Counted(x, 400)) for x in (3, 5, 4, 4)]}
    return rollout_recording(LatencyRule(tolerance=0.2), batches, (orders, memory), history)


def test_a_recording_holds_the_routers_figures_and_the_services_own() -> None:
    errors, latency, orders, memory = recording(1).metrics
    assert errors.batches[0] == RecordedBatch(RateSide(100, 1), RateSide(400, 4))
    assert errors.batches[-1] == RecordedBatch(None, RateSide(400, 4))
    assert errors.history[0] == RecordedBatch(RateSide(400, 3), RateSide(400, 5))
    assert (latency.edges, latency.tolerance.ratio) == (EDGES, 1.2)
    assert latency.batches[0].canary == HistogramSide((97, 1, 1, 1))
    assert (orders.worse, orders.batches[0].canary) == (Worse.DOWN, RateSide(100, 10))
    assert [one.weight for one in (errors, latency, orders, memory)] == [0.4, 0.35, 0.125, 0.125]
    assert (memory.name, memory.batches[0]) == ("memory", RecordedBatch(None, None)), "a rate that measured values"


def test_a_file_of_it_reads_back_as_it_was_and_is_judged_as_it_was() -> None:
    for errors, verdict in ((1, Verdict.UNDECIDED), (30, Verdict.FAIL)):
        made = recording(errors)
        (read,) = judge_file.load(json.dumps(as_document(made)).encode(), "made").rollouts
        assert [(one.name, one.batches, one.history, one.edges) for one in read.metrics] == [
            (one.name, one.batches, one.history, one.edges) for one in made.metrics
        ]
        assert [(one.tolerance, one.gate, one.weight, one.worse) for one in read.metrics] == [
            (one.tolerance, one.gate, one.weight, one.worse) for one in made.metrics
        ]
        assert read.batch_seconds == made.batch_seconds == 10
        (answer,) = judge_recordings([read])
        assert answer.verdict in (verdict, Verdict.NO_DATA)


def test_values_that_are_missing_are_null() -> None:
    rule = MetricRule("memory", SourceName.COMMAND, kind=MetricKind.VALUES)
    reading = MetricReading(RolloutId("r"), "memory", NOON, NOON, 0, Measured((1.0, float("nan"))), None)
    made = rollout_recording(LatencyRule(), [], [MetricSeries(rule, (reading,))], {})
    metrics = as_document(made)["metrics"]
    assert [one["batches"] for one in metrics] == [[], [{"canary": [1.0, None], "baseline": None}]]
