"""The table of who looked at which evidence."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from tidegate.model.approval import Seen
from tidegate.store.columns import Utc, Word
from tidegate.store.tables import metadata

evidence_view = Table(
    "evidence_view",
    metadata,
    Column("run", Text, primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("what", Word(Seen), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("first_at", Utc, nullable=False),
)
