"""The tables of what gates look at beside runs: break-glass, delegations, and whose changes are whose."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from tidegate.model.actor import Actor
from tidegate.store.columns import Document, Utc
from tidegate.store.tables import metadata, text_column

break_glass = Table(
    "break_glass",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("run"),
    text_column("stage"),
    text_column("release"),
    Column("actor", Document(Actor), nullable=False),
    text_column("reason"),
    Column("at", Utc, nullable=False),
    text_column("reviewed_by", null=True),
    Column("reviewed_at", Utc),
    text_column("review"),
    Column("attempt", Integer, nullable=False),
    Index("break_glass_by_run", "run"),
)

delegation = Table(
    "delegation",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("giver"),
    text_column("taker"),
    Column("given_at", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    text_column("service", null=True),
    Column("revoked_at", Utc),
    Index("delegation_by_taker", "taker"),
)

author_address = Table(
    "author_address",
    metadata,
    Column("address", Text, primary_key=True),
    text_column("account"),
    text_column("given_by"),
    Column("given_at", Utc, nullable=False),
    Index("author_address_by_account", "account"),
)

author_key = Table(
    "author_key",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    text_column("account"),
    text_column("public_key"),
    text_column("given_by"),
    Column("given_at", Utc, nullable=False),
    Index("author_key_by_account", "account"),
)
