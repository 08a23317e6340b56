"""Which user steps run as: one of their own where that can be, and else the server says why not and what it means."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.integration.artifacts.children import as_a_stranger, in_a_child

from tidegate.model.lease import ProcessState, StepCommand
from tidegate.runners.process import ProcessRunner
from tidegate.security.isolation import (
    ISOLATED_UID,
    decide_isolation,
    existing_way,
    first_shut_folder,
    make_passable,
    make_private,
)


def test_steps_of_a_root_server_get_a_user_of_their_own(data: Path, as_root: None) -> None:
    isolation = decide_isolation(data)
    assert isolation.run_as == ISOLATED_UID
    assert str(ISOLATED_UID) in isolation.reason
    assert not data.exists()


def test_a_step_in_a_data_folder_passes_through_it_as_that_user_and_sees_nothing_else(
    data: Path, as_root: None
) -> None:
    work = make_passable(data, "agent", "checkouts")
    (data / "admin-token").write_text("hunter2")
    (data / "admin-token").chmod(0o600)
    make_private(data / "run")
    runner = ProcessRunner(decide_isolation(data).run_as)
    script = f"id -u; id -G; pwd; ls {data} || true; ls {data}/run || true; cat {data}/admin-token || true"

    def _run_with_groups_of_ours() -> str:
        os.setgroups([0, 12345])
        handle = runner.start(StepCommand(script, str(work), str(data / "agent" / "attempt.1.1")))
        assert runner.wait(handle, 20).state is ProcessState.EXITED
        return (Path(handle.folder) / "output").read_text()

    said = in_a_child(_run_with_groups_of_ours)
    assert said.splitlines()[:3] == [str(ISOLATED_UID), str(ISOLATED_UID), str(work)]
    assert said.count("Permission denied") == 3
    assert "hunter2" not in said


def test_a_shut_folder_above_the_data_folder_is_named_and_the_remedy_helps(data: Path, as_root: None) -> None:
    shut = data.parent / "home of root"
    shut.mkdir(mode=0o700)
    isolation = decide_isolation(shut / "tidegate" / "data")
    assert isolation.run_as is None
    assert f"may not pass through {shut}" in isolation.reason
    assert "trusted repositories only" in isolation.reason
    assert isolation.reason.endswith(f"chmod o+x {shut}")
    subprocess.run(["chmod", "o+x", shut], check=True)
    assert decide_isolation(shut / "tidegate" / "data").run_as == ISOLATED_UID


def test_a_link_to_the_data_folder_is_followed_to_where_it_is(data: Path, as_root: None) -> None:
    shut = data.parent / "shut"
    (shut / "data").mkdir(parents=True)
    shut.chmod(0o700)
    data.symlink_to(shut / "data")
    assert str(shut) in decide_isolation(data).reason


def test_what_the_modes_allow_and_the_system_forbids_is_said(
    data: Path, as_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "no such user in this namespace")

    monkeypatch.setattr(subprocess, "run", _refuse)
    isolation = decide_isolation(data)
    assert isolation.run_as is None
    assert "nothing can be run as the unprivileged user" in isolation.reason
    assert "no such user in this namespace" in isolation.reason
    assert "trusted repositories only" in isolation.reason


def test_a_server_that_is_not_root_runs_steps_as_itself_and_says_what_that_means(data: Path, as_root: None) -> None:
    said = as_a_stranger(lambda: repr(decide_isolation(data)))
    assert "run_as=None" in said
    assert "can read its data: trusted repositories only" in said


@pytest.mark.parametrize(
    ("owner", "group", "mode", "passes"),
    [
        (0, 0, 0o701, True),
        (0, 0, 0o770, False),
        (0, 0, 0o744, False),
        (0, ISOLATED_UID, 0o710, True),
        (0, ISOLATED_UID, 0o701, False),
        (ISOLATED_UID, 0, 0o100, True),
        (ISOLATED_UID, ISOLATED_UID, 0o611, False),
    ],
)
def test_a_folders_mode_counts_as_the_system_counts_it(
    data: Path, as_root: None, owner: int, group: int, mode: int, passes: bool
) -> None:
    folder = data.parent / "between"
    folder.mkdir()
    os.chown(folder, owner, group)
    folder.chmod(mode)
    way = existing_way(folder / "data")
    assert (first_shut_folder(way) is None) is passes
    tried = subprocess.run(["sh", "-c", f"cd {folder}"], user=ISOLATED_UID, group=ISOLATED_UID, extra_groups=[])
    assert (tried.returncode == 0) is passes


def test_folders_are_made_passable_and_private_whatever_they_were(data: Path) -> None:
    data.mkdir(mode=0o777)
    inner = make_passable(data, "agent", "homes")
    assert inner == data / "agent" / "homes"
    assert [path.stat().st_mode & 0o777 for path in (data, inner.parent, inner)] == [0o711] * 3
    (data / "run").mkdir()
    (data / "run").chmod(0o755)
    assert make_private(data / "run").stat().st_mode & 0o777 == 0o700
    assert make_private(data / "git").stat().st_mode & 0o777 == 0o700
