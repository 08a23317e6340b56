"""The tables of freezes, of what was told of them, and of the questions that gates put to HTTP addresses."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from tidegate.model.actor import Actor
from tidegate.model.external import QuestionState
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata, text_column

freeze = Table(
    "freeze",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("environment"),
    Column("begins", Utc, nullable=False),
    Column("ends", Utc, nullable=False),
    text_column("reason"),
    Column("by", Document(Actor), nullable=False),
    Column("made_at", Utc, nullable=False),
    text_column("timezone"),
    text_column("service", null=True),
    Column("lifted_at", Utc),
    Column("lifted_by", Document(Actor)),
    Index("freeze_by_environment", "environment", "ends"),
)

begun_freeze = Table(
    "begun_freeze",
    metadata,
    Column("freeze", Text, primary_key=True),
    Column("begins", Utc, nullable=False),
)

external_question = Table(
    "external_question",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("run"),
    text_column("stage"),
    Column("attempt", Integer, nullable=False),
    text_column("source"),
    text_column("release"),
    text_column("service"),
    text_column("environment"),
    text_column("url"),
    text_column("secret"),
    text_column("nonce"),
    Column("asked_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("state", Word(QuestionState), nullable=False),
    Column("sent", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("leased_until", Utc),
    text_column("detail"),
    Column("answered_at", Utc),
    text_column("reason"),
    Index("external_question_by_run", "run"),
    Index("external_question_by_state", "state", "due_at"),
)
