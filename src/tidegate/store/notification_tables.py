"""The table of how far each channel has been told."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from tidegate.store.columns import Utc
from tidegate.store.tables import metadata, text_column

notification_cursor = Table(
    "notification_cursor",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("event", BigInteger, nullable=False),
    Column("failing_since", Utc),
    text_column("failing_because"),
    text_column("teller", null=True),
    Column("leased_until", Utc),
)
