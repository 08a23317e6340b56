"""The tables of signing in: passwords, one-time links, sessions of browsers, and whose an account is at a provider."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from tidegate.model.people import Role
from tidegate.model.sign_in import LinkPurpose, SignInWay
from tidegate.store.columns import Utc, Word
from tidegate.store.tables import metadata, text_column

password = Table(
    "password",
    metadata,
    Column("account", Text, primary_key=True),
    text_column("hash"),
    Column("changed_at", Utc, nullable=False),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("purpose", Word(LinkPurpose), nullable=False),
    text_column("account", null=True),
    text_column("made_by"),
    Column("made_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

browser_session = Table(
    "browser_session",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("cookie_hash"),
    text_column("who"),
    text_column("account", null=True),
    Column("role", Word(Role)),
    text_column("token", null=True),
    Column("way", Word(SignInWay), nullable=False),
    text_column("address"),
    Column("made_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Index("browser_session_by_cookie", "cookie_hash", unique=True),
    Index("browser_session_by_account", "account"),
)

provider_account = Table(
    "provider_account",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    text_column("account"),
    text_column("bound_by"),
    Column("bound_at", Utc, nullable=False),
    Index("provider_account_by_account", "account"),
)
