"""What only SQLite does: its file is on a disk that can be full."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.event import listens_for

from tidegate.model.ids import ServiceName
from tidegate.model.service import Service
from tidegate.store import queries, rows
from tidegate.store.database import Database, StoreFull, sqlite_url
from tidegate.store.migrate import migrate

from .values import NOW


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "tidegate.sqlite3"))
    migrate(database)
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    database.close()

    @listens_for(database.engine, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(StoreFull, match="full, and nothing was changed; make room"), database.writing() as writer:
        for number in range(1000):
            rows.put(writer, Service(ServiceName(f"s{number}"), "/r" * 500, NOW))
    with database.reading() as connection:
        assert queries.services(connection) == ()
    database.close()
