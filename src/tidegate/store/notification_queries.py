"""What is asked about how far channels have been told."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete

from tidegate.model.channel import NotificationCursor
from tidegate.store import notification_tables, rows


def cursor(connection: Connection, channel: str) -> NotificationCursor | None:
    """How far a channel has been told; None for one that is new."""
    return rows.find(connection, NotificationCursor, channel=channel)


def cursors(connection: Connection) -> tuple[NotificationCursor, ...]:
    """How far all have been told, by name."""
    return rows.every_equal(connection, NotificationCursor)


def forget_but(connection: Connection, channels: Collection[str]) -> None:
    """Forget how far channels have been told that are there no more."""
    c = notification_tables.notification_cursor.c
    connection.execute(delete(notification_tables.notification_cursor).where(c.channel.not_in(sorted(channels))))
