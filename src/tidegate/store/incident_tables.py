"""The table of incidents."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from tidegate.model.actor import Actor
from tidegate.model.alert import Alert
from tidegate.model.incident import IncidentSource
from tidegate.model.verdict import Judgement
from tidegate.store.columns import Document, Utc, Word
from tidegate.store.tables import metadata, text_column

incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("placement"),
    text_column("service"),
    text_column("environment"),
    Column("source", Word(IncidentSource), nullable=False),
    text_column("reason"),
    Column("opened_at", Utc, nullable=False),
    Column("opened_by", Document(Actor), nullable=False),
    text_column("deployment", null=True),
    text_column("commit", null=True),
    text_column("good", null=True),
    text_column("good_commit", null=True),
    Column("after_order", Integer, nullable=False),
    Column("up_to_order", Integer, nullable=False),
    text_column("rollout", null=True),
    text_column("run", null=True),
    Column("evidence", Document(Judgement)),
    Column("alerts", Document(tuple[Alert, ...]), nullable=False),
    Column("healthy_since", Utc),
    Column("closed_at", Utc),
    Column("closed_by", Document(Actor)),
    text_column("closed_because"),
    Index("incident_by_placement", "placement", "closed_at"),
    Index("incident_by_deployment", "deployment"),
)
