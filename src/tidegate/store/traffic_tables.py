"""The tables of what routers counted, by minutes and by hours."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Index, Integer, Table, Text

from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId
from tidegate.model.traffic import Span
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata

traffic = Table(
    "traffic",
    metadata,
    Column("placement", Text, primary_key=True),
    Column("span", Word(Span), primary_key=True),
    Column("begin", Utc, primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("busiest", Integer, nullable=False, server_default="0"),
    Column("edges", Document(tuple[float, ...]), nullable=False),
    Column("latency", Document(tuple[int, ...]), nullable=False),
    Index("traffic_by_begin", "span", "begin"),
)

traffic_reading = Table(
    "traffic_reading",
    metadata,
    Column("placement", Text, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("deployments", Document(Mapping[DeploymentId, Counters]), nullable=False),
    Column("burning_since", Utc),
)
