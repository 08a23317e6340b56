"""Commands as real processes: what every runner promises, and what only this one has to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.runners.contract import (
    AT_ONCE,
    BEAT,
    GENTLY,
    UID,
    Bench,
    DurableRunnerContract,
    RunnerContract,
    beats,
    output,
    until,
)
from tests.processes import is_running

from tidegate.model.lease import ProcessState, StepCommand, StepHandle
from tidegate.runners import process
from tidegate.runners.process import ProcessRunner


@pytest.fixture
def bench(place: Path) -> Iterator[Bench]:
    run_as = UID if os.geteuid() == 0 else None
    elsewhere = f"from tidegate.runners.process import ProcessRunner\nrunner = ProcessRunner({run_as})"
    made = Bench(ProcessRunner(run_as), place, elsewhere, run_as)
    yield made
    made.close()


class TestProcessRunner(RunnerContract):
    """Runs commands as it should."""


class TestDurableProcessRunner(DurableRunnerContract):
    """Outlives its agent as it should."""


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_a_command_gets_exactly_its_own_environment(bench: Bench) -> None:
    said = bench.output("env | cut -d= -f1 | sort", env={"COLOUR": "blue"})
    assert set(said.split()) <= {"COLOUR", "PATH", "PWD", "TIDEGATE_MARK", "_"}
    assert "COLOUR" in said


def test_an_agent_killed_before_the_handle_is_on_disk_leaves_nothing_that_runs(place: Path) -> None:
    work = place / "work"
    work.mkdir()
    script = """
import os, signal, sys
from tidegate.runners import process
from tidegate.model.lease import StepCommand
process._write_handle = lambda folder, handle: os.kill(os.getpid(), signal.SIGKILL)
process.ProcessRunner().start(StepCommand("touch ran", sys.argv[1], sys.argv[2]))
"""
    killed = subprocess.run([sys.executable, "-c", script, str(work), str(place / "attempt.1.1")])
    assert killed.returncode == -signal.SIGKILL
    assert ProcessRunner().find(str(place / "attempt.1.1")) is None
    handle = ProcessRunner().start(StepCommand("touch again", str(work), str(place / "attempt.1.1")))
    ProcessRunner().wait(handle, 10)
    assert [file.name for file in work.iterdir()] == ["again"]


def test_what_never_began_because_its_agent_was_killed_may_be_started_again(place: Path) -> None:
    work = place / "work"
    work.mkdir()
    folder = place / "attempt.1.1"
    script = """
import os, signal, sys
from tidegate.runners import process
from tidegate.model.lease import StepCommand
write = process._write_handle
def write_and_die(folder, handle):
    write(folder, handle)
    os.kill(os.getpid(), signal.SIGKILL)
process._write_handle = write_and_die
process.ProcessRunner().start(StepCommand("echo x >> count", sys.argv[1], sys.argv[2]))
"""
    subprocess.run([sys.executable, "-c", script, str(work), str(folder)])
    until(lambda: ProcessRunner().find(str(folder)) is None)
    handle = ProcessRunner().start(StepCommand("echo x >> count", str(work), str(folder)))
    ProcessRunner().wait(handle, 10)
    assert (work / "count").read_text() == "x\n"


def test_cancel_ends_a_stopped_group(bench: Bench) -> None:
    handle = bench.start("echo $$ > pid; sleep 60")
    pid = pid_in(bench.work / "pid")
    os.killpg(handle.pid, signal.SIGSTOP)
    bench.runner.cancel(handle, GENTLY)
    assert not is_running(pid)


def test_it_is_gone_only_when_nothing_of_the_group_is_left(bench: Bench) -> None:
    handle = bench.start("echo $$ > pid; sleep 60")
    inner = pid_in(bench.work / "pid")
    os.kill(handle.pid, signal.SIGKILL)
    assert bench.runner.wait(handle, 0.3).state is ProcessState.RUNNING
    assert is_running(inner)
    bench.runner.cancel(handle, AT_ONCE)
    assert bench.runner.poll(handle).state is ProcessState.GONE


def test_a_later_process_of_the_same_pid_is_not_taken_for_it(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            handle = StepHandle(str(bench.place / "old.1.1"), stranger.pid, 1.0, bench.start("true").boot)
            assert bench.runner.poll(handle).state is ProcessState.GONE
            bench.runner.cancel(handle, AT_ONCE)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_an_agent_that_did_not_start_it_finds_a_daemon_with_a_session_of_its_own(bench: Bench) -> None:
    handle = bench.start(f'setsid sh -c "{BEAT}" </dev/null >/dev/null 2>&1 & until [ -e beat ]; do :; done')
    assert bench.ended(handle).exit_code == 0
    source = """
from datetime import timedelta
runner.cancel(runner.find(command.folder), timedelta(0))
"""
    with bench.other_process(source, bench.command("")) as other:
        assert other.wait(timeout=20) == 0
    assert not beats(bench.work / "beat")


def test_a_command_cannot_read_what_is_not_its_users(as_root: None, bench: Bench) -> None:
    secret = bench.place / "admin-token"
    secret.write_text("hunter2")
    secret.chmod(0o600)
    handle = bench.start(f"cat {secret}")
    assert bench.ended(handle).exit_code != 0
    assert "Permission denied" in output(handle)
    assert "hunter2" not in output(handle)


def test_a_script_is_asked_to_end_before_its_commands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = " | ".join(["sleep 30"] * 40)
    handle = bench.start(f"echo $$ > script.pid; {commands}")
    until(lambda: len(process._members(handle, bench.run_as or os.geteuid())) == 42)
    asked: list[int] = []
    kill = os.kill

    def noted(pid: int, number: int) -> None:
        if number == signal.SIGTERM:
            asked.append(pid)
        kill(pid, number)

    monkeypatch.setattr(os, "kill", noted)
    bench.runner.cancel(handle, GENTLY)
    assert len(asked) == 42
    assert asked[:2] == [handle.pid, int((bench.work / "script.pid").read_text())]
