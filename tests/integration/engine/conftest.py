"""A shop on a database of its own: SQLite everywhere, Postgres for what depends on how writers wait for each other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.engine.shop import Shop
from tests.integration.store.conftest import database as either_database
from tests.integration.store.conftest import postgres

from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate

__all__ = ["either_database", "postgres"]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with this version's tables, to be copied: making them takes longer than most tests."""
    file = tmp_path_factory.mktemp("empty") / "tidegate.sqlite3"
    made = Database(sqlite_url(file), durable=False)
    migrate(made)
    made.close()
    return file


@pytest.fixture
def sqlite(empty_database: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(empty_database, tmp_path / "tidegate.sqlite3")
    found = Database(sqlite_url(tmp_path / "tidegate.sqlite3"), durable=False)
    yield found
    found.close()


@pytest.fixture
def second_shop(empty_database: Path, tmp_path: Path) -> Iterator[Shop]:
    """Another one, to which nothing of the first happens."""
    shutil.copy(empty_database, tmp_path / "second.sqlite3")
    found = Database(sqlite_url(tmp_path / "second.sqlite3"), durable=False)
    yield Shop(found, tmp_path / "second")
    found.close()


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> Shop:
    return Shop(sqlite, tmp_path)
