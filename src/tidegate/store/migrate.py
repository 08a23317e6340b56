"""Bringing a database to this version's tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select, text

from tidegate.store import rows
from tidegate.store.database import Database, StoreUnavailable

HEAD = "0026"

_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""As Alembic makes it."""


def migrate(database: Database) -> None:
    """Bring the tables to this version, in one transaction.

    Raises StoreUnavailable where the database was written by a newer version.
    """
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('migrate'))"))
        version = current_version(connection)
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise StoreUnavailable(
                f"the database is of a newer version ({version}) than this tidegate knows ({HEAD}); "
                "install the newer version again"
            )
        if version is None:
            _make(connection)
        else:
            _upgrade(connection)


def current_version(connection: Connection) -> str | None:
    """The revision of the tables, None for a database without any."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(_version)).scalar()


def _make(connection: Connection) -> None:
    """The tables as they are now: one after the other, and Alembic itself, takes a quarter of a second."""
    (metadata,) = {table.metadata for table in rows.TABLES.values()}
    # a table of that name which somebody else made is an error, and not taken for ours
    metadata.create_all(connection, checkfirst=False)
    _version.create(connection)
    connection.execute(insert(_version), {"version_num": HEAD})


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
