"""What is remembered of a rollout: figures of what served and was found good, by the hour, and not too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tidegate.model.figures import Batch, Counters
from tidegate.model.ids import PlacementId, RolloutId
from tidegate.model.metric import (
    Counted,
    HistoryBatch,
    Measured,
    MetricReading,
    MetricRule,
    MetricSeries,
    SourceName,
    Spread,
)
from tidegate.model.metric_history import (
    MOST_BATCHES,
    MOST_TO_LEARN_FROM,
    STRETCH,
    HistoryHour,
    after_one_another,
    history_of,
    latest,
    side_by_side,
)

PLACEMENT = PlacementId("shop/production")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW, OLD = Counters(10, 1, (5.0,), (9, 1)), Counters(90, 2, (5.0,), (80, 10))


def batch(minute: float, canary: Counters | None = NEW, baseline: Counters | None = OLD) -> Batch:
    begin = NOON + timedelta(minutes=minute)
    return Batch(begin, begin + timedelta(seconds=10), 0, canary, baseline)


def remembered(*batches: Batch) -> dict[tuple[str, int], HistoryHour]:
    return {(one.metric, one.hour.hour): one for one in history_of(PLACEMENT, batches, ())}


def test_both_sides_are_remembered_and_at_the_end_the_new_one_alone() -> None:
    found = remembered(batch(0), batch(1, baseline=None), batch(2, baseline=Counters(0, 0)), batch(3, None, None))
    assert [(one.figures, one.beside) for one in found["errors", 12].batches] == [
        (Counted(2, 90), Counted(1, 10)),
        (Counted(1, 10), None),
        (Counted(1, 10), None),
    ]
    assert found["latency", 12].batches[0].figures == Spread((5.0,), (80, 10))
    assert found["latency", 12].batches[0].beside == Spread((5.0,), (9, 1))
    assert found["errors", 12].batches[0].seconds == 10


def test_each_hour_stands_for_itself() -> None:
    found = remembered(batch(59), batch(60), batch(61))
    assert [len(found["errors", hour].batches) for hour in (12, 13)] == [1, 2]


def test_of_an_hour_so_many_batches_are_kept_from_its_beginning_to_its_end() -> None:
    (many, _) = history_of(PLACEMENT, [batch(index / 6) for index in range(360)], ())
    assert len(many.batches) == MOST_BATCHES
    assert many.batches[-1].begin - many.batches[0].begin > timedelta(minutes=58)
    gaps = [later.begin - one.begin for one, later in pairwise(many.batches)]
    assert gaps.count(timedelta(seconds=10)) == MOST_BATCHES - MOST_BATCHES // STRETCH  # bursts of minutes can be seen
    more = many.with_more(history_of(PLACEMENT, [batch(0.1), batch(59.9)], ())[0].batches)
    assert len(more.batches) == MOST_BATCHES


def test_of_an_hour_batches_with_both_sides_are_kept_before_others() -> None:
    alone = [batch(index / 6, baseline=None) for index in range(30, 330)]
    (hour, _) = history_of(PLACEMENT, [*(batch(index / 6) for index in range(30)), *alone], ())
    assert [one.beside is not None for one in hour.batches] == [True] * 30 + [False] * (MOST_BATCHES - 30)


@pytest.mark.parametrize(("with_both", "known"), [(0, 40), (20, 60), (59, 99), (60, 60), (90, 90)])
def test_batches_of_one_side_are_no_longer_used_where_enough_have_both(with_both: int, known: int) -> None:
    both = [batch(index) for index in range(with_both)]
    alone = [batch(100 + index, baseline=None) for index in range(40)]
    hours = [one for one in history_of(PLACEMENT, [*both, *alone], ()) if one.metric == "errors"]
    assert len(latest(hours, NOON + timedelta(days=1))) == known


def test_a_side_beside_it_is_the_other_side_and_else_the_next_batch_is() -> None:
    one, other, third = Counted(1, 10), Counted(2, 20), Counted(3, 30)
    alone = [HistoryBatch(NOON, 10, one), HistoryBatch(NOON, 10, other, third), HistoryBatch(NOON, 10, third)]
    assert list(side_by_side(alone)) == [(third, other), (one, third)]
    assert list(after_one_another(alone)) == [(one, other)]


def test_the_same_batch_counts_once() -> None:
    hour = remembered(batch(0), batch(1))["errors", 12]
    assert hour.with_more(hour.batches) == hour


def test_a_judge_is_given_the_latest_batches_that_were_over() -> None:
    hours = history_of(PLACEMENT, [batch(minute) for minute in (50, 55, 65, 70)], ())
    of_errors = [one for one in hours if one.metric == "errors"]
    found = latest(of_errors, NOON + timedelta(minutes=70))
    assert [(one.begin - NOON) // timedelta(minutes=1) for one in found] == [50, 55, 65]
    many = [one for hour in range(12) for one in history_of(PLACEMENT, [batch(60 * hour + at) for at in range(40)], ())]
    assert len(latest([one for one in many if one.metric == "errors"], NOON + timedelta(days=1))) == MOST_TO_LEARN_FROM


def test_metrics_of_sources_are_remembered_too() -> None:
    rule = MetricRule("memory", SourceName.COMMAND)
    reading = MetricReading(
        RolloutId("r"), "memory", NOON, NOON + timedelta(minutes=1), 0, Measured((9,)), Measured((7,))
    )
    (hour,) = history_of(PLACEMENT, (), [MetricSeries(rule, (reading,))])
    assert (hour.metric, hour.batches) == ("memory", (HistoryBatch(NOON, 60, Measured((7,)), Measured((9,))),))
