"""The table of release trains: a row for each passage."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Index, Table, Text

from tidegate.model.actor import Actor
from tidegate.model.ids import ServiceName
from tidegate.model.train import Member, TrainState
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata, text_column

train_run = Table(
    "train_run",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("train"),
    text_column("environment"),
    Column("state", Word(TrainState), nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("leaves_at", Utc),
    text_column("plan"),
    Column("members", Document(tuple[Member, ...]), nullable=False),
    Column("after", Document(Mapping[ServiceName, tuple[ServiceName, ...]]), nullable=False),
    text_column("held_by", null=True),
    Column("depart_asked_by", Document(Actor)),
    Column("cancel_asked_by", Document(Actor)),
    Column("departed_at", Utc),
    Column("ended_at", Utc),
    text_column("because"),
    Index("train_run_by_train", "train", "state"),
)
