"""Bringing a database to this version's tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tidegate.store.database import Database, StoreUnavailable

HEAD = "0016"


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
        _upgrade(connection)


def current_version(connection: Connection) -> str | None:
    """The revision of the tables, None for a database without any."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
