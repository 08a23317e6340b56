"""The table of drills."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Table, Text

from tidegate.model.actor import Actor
from tidegate.model.drill import DrillState
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata, text_column

drill = Table(
    "drill",
    metadata,
    Column("run", Text, primary_key=True),
    text_column("placement"),
    text_column("service"),
    text_column("environment"),
    Column("by", Document(Actor), nullable=False),
    Column("began_at", Utc, nullable=False),
    text_column("release"),
    text_column("commit"),
    text_column("good_commit"),
    Column("state", Word(DrillState), nullable=False),
    text_column("rollout", null=True),
    Column("deployed_at", Utc),
    Column("seconds", Float),
    Column("whole_seconds", Float),
    Column("went_wrong", Document(tuple[str, ...]), nullable=False),
    Column("ended_at", Utc),
    Index("drill_by_service", "service", "state"),
    Index("drill_by_placement", "placement", "began_at"),
)
