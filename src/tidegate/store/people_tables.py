"""The tables of people, their teams, roles and tokens."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from tidegate.model.people import AccountKind, HolderKind, Role
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata, text_column

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Word(AccountKind), nullable=False),
    Column("added_at", Utc, nullable=False),
    text_column("full_name"),
    text_column("disabled_because", null=True),
)

team = Table(
    "team",
    metadata,
    Column("name", Text, primary_key=True),
    Column("added_at", Utc, nullable=False),
    Column("members", Document(tuple[str, ...]), nullable=False),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("id", Text, primary_key=True),
    Column("holder_kind", Word(HolderKind), nullable=False),
    text_column("holder"),
    Column("role", Word(Role), nullable=False),
    text_column("service", null=True),
    text_column("environment", null=True),
    text_column("given_by"),
    Column("given_at", Utc, nullable=False),
)

access_token = Table(
    "access_token",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("account"),
    text_column("name"),
    text_column("token_hash"),
    Column("made_at", Utc, nullable=False),
    text_column("made_by"),
    Column("expires_at", Utc, nullable=False),
    Column("role", Word(Role)),
    Column("used_at", Utc),
    Column("revoked_at", Utc),
    Index("access_token_by_hash", "token_hash", unique=True),
    Index("access_token_by_account", "account"),
)
