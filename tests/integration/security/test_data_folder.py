"""What lies in a server's data folder: nobody but its own user reads it, however the folder is passed through."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.cli.server_parts import ServerParts, compose
from tidegate.security.isolation import ISOLATED_UID
from tidegate.security.tokens import ensure_token
from tidegate.store import queries


@pytest.fixture
def server(data: Path) -> Iterator[ServerParts]:
    """The parts of a server that was started for the first time, with something in each place."""
    before = os.umask(0o022)
    parts = compose(data, None)
    ensure_token(data / "admin-token")
    parts.artifacts.put([b"an artifact"])
    with parts.engine.database.writing() as connection:
        now = parts.engine.clock.now()
        queries.put_secret(connection, "shop", "DATABASE_URL", parts.engine.secrets.seal("tide:gate"), now)
    yield parts
    parts.engine.database.close()
    os.umask(before)


def test_no_file_of_it_may_be_read_or_written_by_others(server: ServerParts) -> None:
    assert _open_to_others(server.data) == []


def test_no_file_of_it_may_be_read_by_others_after_a_restart(server: ServerParts) -> None:
    server.engine.database.close()
    again = compose(server.data, None)
    with again.engine.database.reading() as connection:
        assert queries.secret_names(connection, "shop") == ("DATABASE_URL",)
    assert _open_to_others(server.data) == []
    again.engine.database.close()


def test_what_was_open_to_others_is_closed_at_the_next_start(server: ServerParts) -> None:
    server.engine.database.close()
    for name in ("run", "git", "artifacts", "router", "logs"):
        (server.data / name).chmod(0o755)
    for file in (server.data / "tidegate.sqlite3", server.data / "tidegate.sqlite3-wal", server.data / "secret-key"):
        file.touch()  # what a killed server leaves
        file.chmod(0o644)
    again = compose(server.data, None)
    assert _open_to_others(server.data) == []
    again.engine.database.close()


def test_the_user_of_steps_reads_nothing_and_lists_nothing_in_it(server: ServerParts, as_root: None) -> None:
    names = [path.relative_to(server.data) for path in sorted(server.data.rglob("*")) if path.is_file()]
    assert {"tidegate.sqlite3", "tidegate.sqlite3-wal", "secret-key", "admin-token"} <= {str(name) for name in names}
    read = [str(name) for name in names if _as_a_step("cat", server.data / name).returncode == 0]
    listed = [str(path) for path in (server.data, *_folders(server.data)) if not _as_a_step("ls", path).returncode]
    assert (read, listed) == ([], [])
    passed = _as_a_step("sh", "-c", f"cd {server.data} && pwd")
    assert passed.stdout.strip() == str(server.data)


def _open_to_others(data: Path) -> list[str]:
    """The files that another user who knows their names may read or write: by their modes and those on the way."""
    found: list[str] = []
    for folder, folders, files in os.walk(data):
        shut = [name for name in folders if not (Path(folder) / name).stat().st_mode & stat.S_IXOTH]
        folders[:] = [name for name in folders if name not in shut]
        found += [name for name in files if (Path(folder) / name).stat().st_mode & 0o066]
    return sorted(found)


def _folders(data: Path) -> list[Path]:
    return [path for path in data.rglob("*") if path.is_dir()]


def _as_a_step(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=ISOLATED_UID,
        group=ISOLATED_UID,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        errors="replace",
    )
