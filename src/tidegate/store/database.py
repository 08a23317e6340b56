"""The database: where it is, how a transaction begins, and one writer at a time for each service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from tidegate.store.turns import NoTurn, Turns

WAIT_FOR_WRITER_SECONDS = 20


class StoreUnavailable(Exception):
    """The database cannot be used; the message says why and what to do."""


class StoreFull(StoreUnavailable):
    """There is no room on the disk that holds the database."""


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database in a file."""
    return f"sqlite:///{path}"


class Database:
    """Opens transactions on SQLite (WAL, durable at every commit) or Postgres."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite(url, durable) if self.is_sqlite else _postgres(url)
        self._turns = Turns()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception.

        Raises StoreUnavailable where the database cannot be reached or written; then nothing was changed.
        """
        with _trouble_in_words(), self._turn(), self.engine.connect() as connection:
            remembered(connection).clear()
            if self.is_sqlite:
                _begin_immediate(connection)
            with connection.begin() if not connection.in_transaction() else _commits(connection):
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, at one moment of the database. Raises StoreUnavailable."""
        with _trouble_in_words(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite, writers of this process wait for each other here; those of others in `_begin_immediate`."""
        if not self.is_sqlite:
            yield
            return
        try:
            with self._turns.mine(WAIT_FOR_WRITER_SECONDS):
                yield
        except NoTurn:
            raise StoreUnavailable(
                f"the database could not be written for {WAIT_FOR_WRITER_SECONDS} s; nothing was changed"
            ) from None

    def lock_service(self, connection: Connection, service: str) -> bool:
        """Let no other writer near this service's rows until the transaction ends.

        Gives whether what the transaction read before may be out of date; on SQLite it is alone from its beginning.
        """
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"service:{service}"})
        return not self.is_sqlite

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def remembered(connection: Connection) -> dict[str, Any]:
    """What a transaction that writes need not read again: nothing when it begins, and where a part is taken back."""
    found: dict[str, Any] = connection.info.setdefault("remembered", {})
    return found


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction of which nothing stays where it raises.

    SQLAlchemy's own compiles both statements anew each time, which takes as long as three short queries.
    """
    connection.exec_driver_sql("SAVEPOINT part")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        remembered(connection).clear()
        raise
    finally:
        connection.exec_driver_sql("RELEASE SAVEPOINT part")


@contextmanager
def _trouble_in_words() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        said = " ".join(str(error.orig).split())
        if "disk is full" in said or "No space left" in said:
            raise StoreFull(
                "the disk that holds the database is full, and nothing was changed; make room, and it goes on by itself"
            ) from error
        raise StoreUnavailable(f"the database cannot be used: {said}; nothing was changed") from error


@contextmanager
def _commits(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _begin_immediate(connection: Connection) -> None:
    give_up_at = time.monotonic() + WAIT_FOR_WRITER_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            connection.rollback()
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise StoreUnavailable(f"the database cannot be written: {error.orig}") from error
            time.sleep(0.005)
        else:
            return


def _sqlite(url: str, durable: bool) -> Engine:
    options: dict[str, Any] = {"connect_args": {"timeout": WAIT_FOR_WRITER_SECONDS, "check_same_thread": False}}
    if url.endswith(":memory:") or url == "sqlite://":
        options["poolclass"] = StaticPool
    else:
        # what a connection has read it need not read again, unless another one has written
        options["pool_use_lifo"] = True
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


def _postgres(url: str) -> Engine:
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=10)
