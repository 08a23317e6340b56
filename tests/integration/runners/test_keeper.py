"""What stands between an agent and its commands, and the process that it is forked by."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.integration.runners.contract import AT_ONCE, UID, Bench, output, until
from tests.processes import is_running

from tidegate.model.lease import ProcessState
from tidegate.runners.keeper import ASK, BEGIN, HEADER
from tidegate.runners.process import ProcessRunner
from tidegate.runners.runner import StepNotStarted
from tidegate.runners.spawner import NotSpawned, Order, Spawner, spawner

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="what a process has is read in /proc")


@pytest.fixture
def bench(place: Path) -> Iterator[Bench]:
    run_as = UID if os.geteuid() == 0 else None
    made = Bench(ProcessRunner(run_as), place, "", run_as)
    yield made
    made.close()


def group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def kill_spawner() -> None:
    process = spawner()._process
    assert process is not None
    process.kill()
    process.wait()


def keep(tmp_path: Path, script: str, output_file: Path) -> str:
    """What a keeper leaves as the status of a script."""
    begin, may_begin = os.pipe()
    status = os.open(tmp_path / "exit", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    out = os.open(output_file, os.O_WRONLY | os.O_CREAT)
    own = Spawner()
    pid = own.spawn(Order(["/bin/sh", "-c", script], str(tmp_path), {}, None), begin, status, out)
    os.write(may_begin, BEGIN)
    for file in (begin, may_begin, status, out):
        os.close(file)
    until(lambda: not is_running(pid))
    own._end()
    return (tmp_path / "exit").read_text()


def test_when_what_forks_keepers_is_killed_commands_go_on_and_the_next_is_started(bench: Bench) -> None:
    first = bench.start("touch up; while [ ! -e go ]; do sleep 0.02; done; echo done; exit 3", "first.1.1")
    until((bench.work / "up").exists)
    kill_spawner()
    second = bench.start("exit 4", "second.1.1")
    assert bench.ended(second).exit_code == 4
    (bench.work / "go").touch()
    assert bench.ended(first).exit_code == 3
    assert output(first) == "done\n"


def spare_keeper() -> psutil.Process:
    """The keeper that waits for the next order."""
    process = spawner()._process
    assert process is not None
    children = psutil.Process(process.pid).children
    until(lambda: len([one for one in children() if one.status() == psutil.STATUS_SLEEPING]) == 1)
    return children()[0]


@needs_proc
def test_where_the_keeper_that_waits_is_killed_the_next_command_is_started_all_the_same(bench: Bench) -> None:
    assert bench.ended(bench.start("exit 3", "first.1.1")).exit_code == 3
    spare = spare_keeper()
    spare.kill()
    until(lambda: not is_running(spare.pid))
    assert bench.ended(bench.start("exit 4", "second.1.1")).exit_code == 4


@needs_proc
def test_the_keeper_that_waits_takes_the_next_order_also_where_what_forked_it_is_killed(bench: Bench) -> None:
    assert bench.ended(bench.start("exit 3", "first.1.1")).exit_code == 3
    spare = spare_keeper()
    kill_spawner()
    second = bench.start("exit 4", "second.1.1")
    assert second.pid == spare.pid
    assert bench.ended(second).exit_code == 4
    assert bench.ended(bench.start("exit 5", "third.1.1")).exit_code == 5


def test_where_the_system_gave_no_keeper_the_next_order_has_asked_for_another(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "file").open("w") as file:
        why = b"no more processes"
        theirs.sendall(HEADER.pack(len(why)) + why)
        theirs.settimeout(20)
        own = Spawner(_channel=ours)
        with pytest.raises(NotSpawned, match="no more processes"):
            own.spawn(Order(["/bin/true"], str(tmp_path), {}, None), *[file.fileno()] * 3)
        assert theirs.recv(1) == ASK


def test_it_ends_with_the_process_that_it_was_started_by(bench: Bench) -> None:
    source = """
from tidegate.runners.spawner import spawner
runner.start(command)
print(spawner()._process.pid, flush=True)
sys.stdin.readline()
"""
    bench.elsewhere = f"from tidegate.runners.process import ProcessRunner\nrunner = ProcessRunner({bench.run_as})"
    with bench.other_process(source, bench.command("true")) as other:
        assert other.stdout is not None
        pid = int(other.stdout.readline())
        os.kill(pid, signal.SIGTERM)
        assert is_running(pid)
        until(psutil.Process(pid).children)
        waits = psutil.Process(pid).children()
        other.kill()
    until(lambda: not any(map(is_running, (pid, *(one.pid for one in waits)))))


@needs_proc
def test_a_command_has_its_three_streams_open_and_ignores_no_signal(bench: Bench) -> None:
    said = bench.output("ls /proc/self/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status")
    *files, _, blocked, _, ignored = said.split()
    assert files == ["0", "1", "2", "3"]  # the last is the folder that is listed
    # glibc keeps what lies beyond the first 31 for itself
    assert (int(blocked, 16) | int(ignored, 16)) & 0x7FFF_FFFF == 0


def test_a_command_that_is_cancelled_before_it_could_begin_leaves_nothing(bench: Bench) -> None:
    for attempt in range(20):
        handle = bench.start("sleep 60", f"attempt.{attempt}.1")
        bench.runner.cancel(handle, AT_ONCE)
        assert bench.runner.poll(handle).state is not ProcessState.RUNNING
        assert not [pid for pid in psutil.pids() if group_of(pid) == handle.pid and is_running(pid)]


@pytest.mark.parametrize("env", [{"A": "x\0y"}, {"A=B": "x"}, {"": "x"}, {"A": "\ud800"}])
def test_an_environment_that_no_process_can_have_is_said_and_nothing_is_started(
    bench: Bench, env: dict[str, str]
) -> None:
    with pytest.raises(StepNotStarted, match="could not be started in"):
        bench.start("true", env=env)
    assert bench.runner.find(str(bench.place / "attempt.1.1")) is None


@needs_proc
def test_a_variable_that_is_too_long_for_the_system_fails_the_command_with_the_reason(bench: Bench) -> None:
    handle = bench.start("true", env={"A": "x" * 200_000})
    assert bench.ended(handle).exit_code == 126
    assert "Argument list too long" in output(handle)


def test_a_large_environment_reaches_the_command(bench: Bench) -> None:
    env = {f"A{number}": "x" * 10_000 for number in range(100)}
    assert bench.output('echo "${#A0} ${#A99}"', env=env) == "10000 10000\n"


@needs_proc
def test_on_a_full_disk_a_command_meets_a_closed_pipe_and_its_status_is_noted(tmp_path: Path) -> None:
    assert keep(tmp_path, "yes", Path("/dev/full")) == f"{128 + signal.SIGPIPE}\n"
    assert keep(tmp_path, "echo one; sleep 0.2; exit 3", Path("/dev/full")) == "3\n"
