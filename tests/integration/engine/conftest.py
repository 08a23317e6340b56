"""A shop on a database of its own: SQLite everywhere, Postgres for what depends on how writers wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.engine.shop import Shop
from tests.integration.engine.watched import Watched
from tests.integration.integrations.conftest import Repository, host, repository
from tests.integration.metrics.conftest import prometheus
from tests.integration.store.conftest import database as either_database
from tests.integration.store.conftest import postgres
from tests.integration.store.empty import empty_database

from tidegate.store.database import Database, sqlite_url

__all__ = ["either_database", "host", "postgres", "prometheus", "repository"]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    file = tmp_path / "database" / "tidegate.sqlite3"
    file.parent.mkdir()
    file.write_bytes(empty_database())
    found = Database(sqlite_url(file), durable=False)
    yield found
    found.close()


@pytest.fixture
def second_shop(tmp_path: Path) -> Iterator[Shop]:
    """Another one, to which nothing of the first happens."""
    (tmp_path / "second.sqlite3").write_bytes(empty_database())
    found = Database(sqlite_url(tmp_path / "second.sqlite3"), durable=False)
    yield Shop(found, tmp_path / "second")
    found.close()


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> Shop:
    return Shop(sqlite, tmp_path)


@pytest.fixture
def watched(shop: Shop, repository: Repository, tmp_path: Path) -> Watched:
    """A shop beside a repository with one commit, which is not added yet."""
    found = Watched(shop, repository, tmp_path)
    found.commit("first")
    return found
