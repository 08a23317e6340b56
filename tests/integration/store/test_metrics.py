"""Readings of metrics and their history, on either database."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.ids import PlacementId, RolloutId
from tidegate.model.metric import Counted, HistoryBatch, Measured, MetricReading, Spread
from tidegate.model.metric_history import HistoryHour
from tidegate.store import metric_queries, rows
from tidegate.store.columns import Document
from tidegate.store.database import Database

from .values import NOW

PLACEMENT = PlacementId("shop/production")
BATCHES = Document(tuple[HistoryBatch, ...])
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = NOW.replace(minute=0, second=0, microsecond=0)


def hour(back: int, metric: str = "orders", minute: int = 0) -> HistoryHour:
    begin = NOON - back * HOUR
    return HistoryHour(PLACEMENT, metric, begin, (HistoryBatch(begin + minute * MINUTE, 60, Counted(1, 10)),))


def test_a_rollouts_readings_come_back_as_they_were_in_their_order(database: Database) -> None:
    first = MetricReading(RolloutId("r"), "orders", NOW, NOW + MINUTE, 0, Counted(1.5, 10), None, "no data")
    second = MetricReading(
        RolloutId("r"), "orders", NOW + MINUTE, NOW + 2 * MINUTE, 1, Measured((1, 2.5)), Measured((3,))
    )
    spread = MetricReading(
        RolloutId("r"), "sizes", NOW + 2 * MINUTE, NOW + 3 * MINUTE, 1, Spread((1.0, 2.0), (0, 1, 2))
    )
    other = MetricReading(RolloutId("other"), "orders", NOW, NOW + MINUTE, 0)
    with database.writing() as connection:
        for one in (second, other, spread, first, first):
            rows.put(connection, one)
    with database.reading() as connection:
        assert metric_queries.readings(connection, RolloutId("r")) == (first, second, spread)


def test_an_hour_grows_with_the_next_rollout(database: Database) -> None:
    with database.writing() as connection:
        metric_queries.remember(connection, [hour(1), hour(0, minute=5)])
        metric_queries.remember(connection, [hour(0, minute=5), hour(0, minute=30), hour(0, "memory")])
    with database.reading() as connection:
        found = metric_queries.history(connection, PLACEMENT, "orders", NOON - 9 * HOUR)
        assert [(one.hour, len(one.batches)) for one in found] == [(NOON - HOUR, 1), (NOON, 2)]
        assert metric_queries.history(connection, PLACEMENT, "orders", NOON) == found[1:]
        assert metric_queries.history(connection, PLACEMENT, "orders", NOON - 9 * HOUR, newest=1) == found[1:]
        assert metric_queries.history(connection, PlacementId("shop/staging"), "orders", NOON) == ()


def test_history_is_limited_in_age_and_in_number(database: Database) -> None:
    with database.writing() as connection:
        metric_queries.remember(connection, [hour(back) for back in range(metric_queries.MOST_HOURS + 3)])
        metric_queries.forget_history(connection, PLACEMENT, ["orders"], NOON - 10_000 * HOUR)
        kept = metric_queries.history(connection, PLACEMENT, "orders", NOON - 10_000 * HOUR)
        assert len(kept) == metric_queries.MOST_HOURS and kept[-1].hour == NOON
        metric_queries.forget_history(connection, PLACEMENT, ["orders"], NOON - 2 * HOUR)
        kept = metric_queries.history(connection, PLACEMENT, "orders", NOON - 10_000 * HOUR)
    assert [one.hour for one in kept] == [NOON - 2 * HOUR, NOON - HOUR, NOON]


def test_both_sides_of_a_batch_are_kept_and_hours_of_before_have_one(database: Database) -> None:
    batch = HistoryBatch(NOON, 60, Counted(1, 10), Counted(2, 20))
    with database.writing() as connection:
        metric_queries.remember(connection, [HistoryHour(PLACEMENT, "orders", NOON, (batch,))])
    with database.reading() as connection:
        assert metric_queries.history(connection, PLACEMENT, "orders", NOON)[0].batches == (batch,)
    alone = BATCHES.text_of((batch,)).replace(',"beside":{"x":2.0,"n":20.0}', "")
    assert "beside" not in alone
    assert BATCHES.adapter.validate_json(alone) == (HistoryBatch(NOON, 60, Counted(1, 10)),)
