"""The files of a deployment: its own user uses them and cannot change what was built; nobody else reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.artifacts.children import STRANGER
from tests.integration.targets.contract import ARTIFACTS, Bench, get

from tidegate.model.installation import DesiredInstallation, InstallationState
from tidegate.security.isolation import ISOLATED_UID, make_passable, make_private
from tidegate.supervision.supervisor import Supervisor
from tidegate.targets.folder import closed_to, let_read
from tidegate.targets.local import LocalTarget

SECRET = "g4te-of-the-deployment"


@dataclass(frozen=True)
class Installed:
    """A deployment that wrote its secret wherever it may, in the data folder of a server."""

    data: Path
    bench: Bench
    desired: DesiredInstallation

    @property
    def folder(self) -> Path:
        return self.data / "deployments" / "shop" / "production" / self.desired.deployment


@pytest.fixture(scope="module")
def installed(require: Callable[[str, bool], None]) -> Iterator[Installed]:
    require("root", os.geteuid() == 0)
    data = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgs-"))
    make_passable(data)
    for name in ("run", "logs", "artifacts"):
        make_private(data / name)
    supervisor = Supervisor(data)
    supervisor.ensure_running()
    bench = Bench(LocalTarget(data, supervisor, ARTIFACTS, ISOLATED_UID, lambda: datetime.now(UTC)))
    prepare = 'echo "$DATABASE_URL" > app-file; echo "$DATABASE_URL" > "$HOME/home-file"; echo "$DATABASE_URL"'
    desired = replace(bench.desired(prepare=prepare), secrets={"DATABASE_URL": SECRET})
    bench.reach(desired, InstallationState.READY)
    yield Installed(data, bench, desired)
    supervisor.shutdown()
    shutil.rmtree(data)


def _files(data: Path) -> list[Path]:
    return [path for path in data.rglob("*") if path.is_file() and not path.is_symlink()]


def _readable(uid: int, data: Path) -> set[str]:
    """The names of the files that a user reads who knows where they are."""
    found = set()
    for file in _files(data):
        done = subprocess.run(["cat", file], user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True)
        if done.returncode == 0:
            found.add(file.name)
    return found


def _holding(data: Path) -> set[str]:
    """The names of the files in which the secret stands."""
    return {file.name for file in _files(data) if SECRET.encode() in file.read_bytes()}


def test_a_stranger_reads_nothing_of_it_but_how_many_instances_it_should_have(installed: Installed) -> None:
    assert _readable(STRANGER, installed.data) <= {"installation.json", ".generation", "prepare.done"}
    assert SECRET not in (installed.folder / "installation.json").read_text()
    for built in (installed.folder / "artifacts", installed.folder / "artifacts" / "server.py"):
        assert built.stat().st_mode & 0o007 == 0, built


def test_its_own_user_reads_its_files_and_nothing_of_the_servers(installed: Installed) -> None:
    own = {"server.py", "app-file", "home-file", "installation.json", ".generation", "prepare.done"}
    assert _readable(ISOLATED_UID, installed.data) == own


@pytest.mark.parametrize("name", ["artifacts/server.py", "artifacts", "installation.json", ".", ".."])
def test_its_own_user_cannot_change_what_was_built_or_what_is_noted_of_it(installed: Installed, name: str) -> None:
    assert (installed.folder / name).exists()
    assert not _asks(ISOLATED_UID, "test", "-w", installed.folder / name)


def test_a_secret_lies_only_where_the_server_or_the_deployment_itself_keeps_it(installed: Installed) -> None:
    assert get(installed.desired.ports[0], "/DATABASE_URL") == SECRET
    definition = f"svc-{installed.desired.deployment}-0.json"
    assert _holding(installed.data) == {"app-file", "home-file", "prepare.log", "instance-0.log", definition}


def test_of_a_removed_deployment_no_secret_is_left_but_in_what_it_printed(installed: Installed) -> None:
    installed.bench.reach(replace(installed.desired, instances=0), InstallationState.ABSENT)
    assert _holding(installed.data) == {"prepare.log", "instance-0.log"}
    installed.bench.reach(installed.desired, InstallationState.READY)


@pytest.mark.parametrize("reader", [None, STRANGER])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_let_to_one_reader_is_read_by_that_one_and_by_no_other(
    data: Path, as_root: None, reader: int | None, kind: str
) -> None:
    data.mkdir()
    path = data / "thing"
    path.mkdir(mode=0o777) if kind == "folder" else path.write_text("x")
    path.chmod(0o777)
    let_read(path, reader)
    may = {uid: _asks(uid, "ls" if kind == "folder" else "cat", path) for uid in (STRANGER, STRANGER + 1)}
    assert may == {STRANGER: reader == STRANGER, STRANGER + 1: False}
    assert not _asks(STRANGER, "test", "-w", path)


def _asks(uid: int, *command: str | Path) -> bool:
    done = subprocess.run(command, user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True)
    return done.returncode == 0


@pytest.mark.parametrize(
    ("owner", "group", "mode"),
    [
        (0, 0, 0o700),
        (0, 0, 0o711),
        (0, STRANGER, 0o710),
        (0, STRANGER, 0o701),
        (STRANGER, 0, 0o100),
        (STRANGER, 0, 0o011),
    ],
)
def test_the_folder_that_keeps_a_user_out_is_the_one_that_the_system_refuses(
    data: Path, as_root: None, owner: int, group: int, mode: int
) -> None:
    inner = data / "outer" / "inner"
    inner.mkdir(parents=True)
    os.chown(inner.parent, owner, group)
    inner.parent.chmod(mode)
    refused = not _asks(STRANGER, "sh", "-c", f"cd {inner}")
    assert closed_to(STRANGER, inner) == (inner.parent if refused else None)
