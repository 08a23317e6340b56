"""Databases in memory, made once and emptied for each new world."""

from __future__ import annotations

import sqlite3
from functools import cache

from tidegate.store.database import Database
from tidegate.store.migrate import migrate


@cache
def _template() -> Database:
    database = Database("sqlite://", durable=False)
    migrate(database)
    return database


@cache
def _reused() -> Database:
    return Database("sqlite://", durable=False)


def fresh_database() -> Database:
    """An empty database with this version's tables. The one that was given before is emptied by this.

    It is the same one again because a new one would have to compile every statement anew.
    """
    database = _reused()
    _raw(_template()).backup(_raw(database))
    return database


def _raw(database: Database) -> sqlite3.Connection:
    with database.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
