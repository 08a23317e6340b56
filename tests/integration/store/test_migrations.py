"""What earlier versions wrote is read by this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, inspect, text

import tidegate.store
from tidegate.store import queries, tables
from tidegate.store.database import Database, StoreUnavailable, sqlite_url
from tidegate.store.migrate import HEAD, current_version, migrate

from .values import a_release

MIGRATIONS = Path(tidegate.store.__file__).parent / "migrations"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    database = Database(sqlite_url(tmp_path / "tidegate.sqlite3"))
    yield database
    database.close()


def upgrade(connection: Connection, version: str) -> None:
    """Bring the tables to a version, as an earlier tidegate did."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def told(connection: Connection) -> dict[str, object]:
    """Everything that a database says about its tables, but what a column holds where nothing is written: all are."""
    found, tables = inspect(connection), dict[str, object]()
    for name in found.get_table_names():
        columns = {(one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(name)}
        indexes = {(one["name"], tuple(one["column_names"]), one["unique"]) for one in found.get_indexes(name)}
        uniques = {tuple(one["column_names"]) for one in found.get_unique_constraints(name)}
        keys = tuple(found.get_pk_constraint(name)["constrained_columns"])
        tables[name] = (columns, indexes, uniques, keys, found.get_foreign_keys(name))
    return tables


def test_a_new_database_has_the_very_tables_that_an_old_one_is_brought_to(database: Database) -> None:
    with database.writing() as connection:
        made, version = told(connection), current_version(connection)
        tables.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        upgrade(connection, "0001")
        first = told(connection)
    migrate(database)
    with database.reading() as connection:
        assert told(connection) == made != first
        assert current_version(connection) == version == HEAD


def test_a_table_of_that_name_which_somebody_else_made_is_not_taken_for_ours(empty: Database) -> None:
    with empty.writing() as connection:
        connection.execute(text("CREATE TABLE run (id TEXT)"))
    with pytest.raises(StoreUnavailable, match="run already exists"):
        migrate(empty)
    with empty.reading() as connection:
        assert inspect(connection).get_table_names() == ["run"]


def test_where_artifacts_of_earlier_releases_come_from_is_not_known(empty: Database) -> None:
    before = a_release()
    known = {one.name: getattr(before, one.name) for one in fields(before) if one.name != "origins"}
    with empty.writing() as connection:
        upgrade(connection, "0002")
        connection.execute(insert(tables.release).values(known))
    migrate(empty)
    with empty.reading() as connection:
        assert queries.release(connection, before.id) == replace(before, origins=())
