"""What earlier versions wrote is read by this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert

import tidegate.store
from tidegate.store import queries, tables
from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate

from .values import a_release

MIGRATIONS = Path(tidegate.store.__file__).parent / "migrations"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    database = Database(sqlite_url(tmp_path / "tidegate.sqlite3"))
    yield database
    database.close()


def test_where_artifacts_of_earlier_releases_come_from_is_not_known(empty: Database) -> None:
    before = a_release()
    known = {one.name: getattr(before, one.name) for one in fields(before) if one.name != "origins"}
    with empty.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(insert(tables.release).values(known))
    migrate(empty)
    with empty.reading() as connection:
        assert queries.release(connection, before.id) == replace(before, origins=())
