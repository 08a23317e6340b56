"""Databases for the store's tests: SQLite, and a real Postgres where its server binaries are."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _as_user() -> list[str | Path]:
    """Postgres refuses to run as root: a system user runs it then."""
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(require: Callable[[str, bool], None]) -> Iterator[str]:
    """The address of a Postgres server that lives as long as the tests."""
    binaries = _binaries()
    require("PostgreSQL's server", binaries is not None)
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="tidegate-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    port = _free_port()
    data, run = folder / "data", _as_user()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        subprocess.run(
            [*run, binaries / "initdb", "-D", data, "-U", "tidegate", "-A", "trust"], check=True, capture_output=True
        )
        start = [*run, binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"]
        subprocess.run(start, check=True, capture_output=True)
        yield f"postgresql://tidegate@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*run, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    if request.param == "sqlite":
        found = Database(sqlite_url(tmp_path / "tidegate.sqlite3"))
    else:
        found = Database(request.getfixturevalue("postgres"))
        with found.writing() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    migrate(found)
    yield found
    found.close()
