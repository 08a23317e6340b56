"""The tables of what sources said, and of what is remembered of it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from tidegate.model.metric import Figures, HistoryBatch
from tidegate.store.columns import Document, Utc
from tidegate.store.tables import metadata, text_column

metric_reading = Table(
    "metric_reading",
    metadata,
    Column("rollout", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("begin", Utc, primary_key=True),
    Column("end", Utc, nullable=False),
    Column("step", Integer, nullable=False),
    Column("canary", Document(Figures)),
    Column("baseline", Document(Figures)),
    text_column("trouble"),
)

metric_history = Table(
    "metric_history",
    metadata,
    Column("placement", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("hour", Utc, primary_key=True),
    Column("batches", Document(tuple[HistoryBatch, ...]), nullable=False),
    Index("metric_history_by_hour", "hour"),
)
