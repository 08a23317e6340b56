"""Checkpoints of the record, and the keys that signed them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tidegate.model.checkpoint import Checkpoint, RecordKey
from tidegate.model.record_line import GENESIS
from tidegate.store import record_tables, rows, tables

BEFORE_FIRST = (0, GENESIS)
"""The line before the first, and what stands for its hash."""

_c = record_tables.checkpoint.c

_head = select(tables.event.c.id, tables.event.c.hash).order_by(tables.event.c.id.desc()).limit(1)


def head(connection: Connection) -> tuple[int, str] | None:
    """The number of the newest line and its hash, None where there is none."""
    row = connection.execute(_head).first()
    return (row.id, row.hash) if row else None


def hash_of(connection: Connection, number: int) -> str | None:
    """The hash of a line, None where there is no such line."""
    return connection.execute(select(tables.event.c.hash).where(tables.event.c.id == number)).scalar()


def checkpoints(connection: Connection) -> tuple[Checkpoint, ...]:
    """All of them, oldest first."""
    return rows.every(connection, Checkpoint)


def last_checkpoint(connection: Connection) -> Checkpoint | None:
    """The newest one."""
    found = rows.every(connection, Checkpoint, order_by=_c.id.desc(), limit=1)
    return found[0] if found else None


def checkpoint_before(connection: Connection, event: int) -> Checkpoint | None:
    """The newest that ends before a line."""
    found = rows.every(connection, Checkpoint, _c.last_event < event, order_by=_c.id.desc(), limit=1)
    return found[0] if found else None


def checkpoints_between(connection: Connection, first: int, last: int) -> tuple[Checkpoint, ...]:
    """Those that say something of the lines from one to another, oldest first."""
    return rows.every(connection, Checkpoint, _c.last_event >= first, _c.first_event <= last)


def keys(connection: Connection) -> tuple[RecordKey, ...]:
    """The public keys, oldest first."""
    return rows.every(connection, RecordKey, order_by=record_tables.record_key.c.made_at)
