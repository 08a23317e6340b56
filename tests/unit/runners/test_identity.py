"""Telling processes apart: a pid with its start time names one process for good, whatever that calls itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.api.world import eventually

from tidegate.runners import identity
from tidegate.runners.identity import boot_id, has_mark, pids, see

NAMES = ["sleep", "a) b (c", "S 1 2 3)", ") R 0 0 0"]


@pytest.fixture(params=["/proc", "psutil"], autouse=True)
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system's own files where there are some, and by psutil where there are not."""
    if request.param == "psutil":
        monkeypatch.setattr(identity, "_HAS_PROC", False)
    elif not identity._HAS_PROC:
        pytest.skip("this system has no /proc")


@contextmanager
def running(*command: str | Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own."""
    process = subprocess.Popen(command, env=env, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", NAMES)
def test_a_process_is_seen_with_its_group_and_session_whatever_its_name_is(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    shutil.copy(str(shutil.which("sleep")), program)
    with running(program, "60") as process:
        seen = eventually(lambda: see(process.pid), "the process")
        assert (seen.pid, seen.group, seen.session, seen.ended) == (process.pid, process.pid, process.pid, False)
        assert see(process.pid) == seen


def test_two_processes_differ_by_when_they_were_started() -> None:
    with running("/bin/sleep", "60") as process:
        first = see(os.getpid())
        second = eventually(lambda: see(process.pid), "the process")
    assert first is not None
    assert first.started < second.started


def test_a_process_that_nobody_has_asked_for_its_status_has_ended() -> None:
    with running("/bin/sleep", "60") as process:
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: (seen := see(process.pid)) is not None and seen.ended, "the end")


def test_a_pid_that_nobody_has_is_nobody() -> None:
    with running("/bin/true") as process:
        process.wait()
    assert see(process.pid) is None
    assert not has_mark(process.pid, "TIDEGATE_ATTEMPT", "x")


@pytest.mark.parametrize(
    ("variable", "value", "carried"),
    [
        ("MARK", "step-1", True),
        ("MARK", "step-", False),
        ("MARK", "step-12", False),
        ("ARK", "step-1", False),
        ("OTHER", "MARK=step-1", True),
    ],
)
def test_a_mark_is_carried_whole_or_not_at_all(variable: str, value: str, carried: bool) -> None:
    with running("/bin/sleep", "60", MARK="step-1", OTHER="MARK=step-1") as process:
        eventually(lambda: has_mark(process.pid, "MARK", "step-1"), "the mark")
        assert has_mark(process.pid, variable, value) is carried


def test_a_users_processes_are_its_own() -> None:
    assert os.getpid() in pids(os.geteuid())
    assert os.getpid() not in pids(54321)


def test_the_boot_has_one_name_for_all() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from tidegate.runners.identity import boot_id; print(boot_id())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == boot_id() != ""
