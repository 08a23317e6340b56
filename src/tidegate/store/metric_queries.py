"""What is asked about the figures of sources: of a rollout, and of the days before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select

from tidegate.model.ids import PlacementId, RolloutId
from tidegate.model.metric import MetricReading
from tidegate.model.metric_history import HistoryHour
from tidegate.store import metric_tables, rows

_reading, _history = metric_tables.metric_reading.c, metric_tables.metric_history.c

MOST_HOURS = 24 * 35
"""Of one metric of a placement, however many rollouts it sees."""


def readings(connection: Connection, rollout: RolloutId) -> tuple[MetricReading, ...]:
    """What was read for a rollout, oldest first."""
    return rows.every(connection, MetricReading, _reading.rollout == rollout, order_by=_reading.begin)


def history(
    connection: Connection, placement: PlacementId, metric: str, since: datetime, newest: int | None = None
) -> tuple[HistoryHour, ...]:
    """What is remembered of a metric of a placement, the oldest hour first; of the newest so many hours only."""
    here = (_history.placement == placement, _history.metric == metric, _history.hour >= since)
    return rows.every(connection, HistoryHour, *here, order_by=_history.hour.desc(), limit=newest)[::-1]


def remember(connection: Connection, hours: Iterable[HistoryHour]) -> None:
    """Keep hours of history, each together with what is remembered of it already."""
    for hour in hours:
        known = rows.find(connection, HistoryHour, placement=hour.placement, metric=hour.metric, hour=hour.hour)
        rows.put(connection, known.with_more(hour.batches) if known else hour)


def forget_history(connection: Connection, placement: PlacementId, metrics: Collection[str], before: datetime) -> None:
    """Forget the hours of every placement that began before then, and of each of these metrics all but the newest."""
    connection.execute(delete(metric_tables.metric_history).where(_history.hour < before))
    for metric in metrics:
        here = (_history.placement == placement, _history.metric == metric)
        query = select(_history.hour).where(*here).order_by(_history.hour.desc()).offset(MOST_HOURS).limit(1)
        first_gone = connection.execute(query).scalar()
        if first_gone is not None:
            connection.execute(delete(metric_tables.metric_history).where(*here, _history.hour <= first_gone))
