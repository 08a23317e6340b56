"""A database with this version's tables and nothing in them, made once: making them takes longer than most tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate


@cache
def empty_database() -> bytes:
    """The content of its SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tidegate.sqlite3"
        made = Database(sqlite_url(file), durable=False)
        migrate(made)
        made.close()
        return file.read_bytes()
