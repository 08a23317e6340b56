"""The tables of what was signed of the record."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from tidegate.store.columns import Utc
from tidegate.store.tables import metadata, text_column

record_key = Table(
    "record_key",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("public_key"),
    Column("made_at", Utc, nullable=False),
    text_column("follows", null=True),
    text_column("old_signature"),
    text_column("own_signature"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("first_event", BigInteger, nullable=False),
    Column("last_event", BigInteger, nullable=False),
    text_column("hash"),
    text_column("key"),
    text_column("signature"),
)
