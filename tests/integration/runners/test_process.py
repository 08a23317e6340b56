"""A step's command as real processes: what it gets, how its end is told, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from tests.integration.runners.conftest import UID, Start, output, until

from tidegate.model.lease import PolledStep, ProcessState, StepCommand, StepHandle
from tidegate.runners.process import ProcessRunner
from tidegate.runners.runner import AttemptTaken, StepNotStarted

GENTLY = timedelta(milliseconds=200)


def end(runner: ProcessRunner, handle: StepHandle) -> PolledStep:
    polled = runner.wait(handle, 10)
    assert polled.state is not ProcessState.RUNNING
    return polled


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_both_streams_and_the_exit_status_are_kept(runner: ProcessRunner, start: Start) -> None:
    handle = start("echo out; echo err >&2; exit 7")
    assert end(runner, handle).exit_code == 7
    assert output(handle) == "out\nerr\n"


def test_a_script_that_reopens_its_error_stream_does_not_cut_off_the_log(runner: ProcessRunner, start: Start) -> None:
    handle = start("echo one; echo two > /dev/stderr; echo three > /dev/stdout; echo four")
    end(runner, handle)
    assert output(handle) == "one\ntwo\nthree\nfour\n"


def test_a_command_that_does_not_exist_ends_with_127_and_the_shells_message(
    runner: ProcessRunner, start: Start
) -> None:
    handle = start("no-such-command --now")
    assert end(runner, handle).exit_code == 127
    assert "no-such-command: not found" in output(handle)


def test_the_first_failing_line_and_an_unset_variable_end_the_script(runner: ProcessRunner, start: Start) -> None:
    assert end(runner, start("false; echo never", "a.1.1")).exit_code == 1
    assert end(runner, start('echo "$UNSET_NAME"', "b.1.1")).exit_code != 0


def test_a_command_gets_exactly_its_own_environment(
    runner: ProcessRunner, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "hunter2")
    handle = start("env | cut -d= -f1 | sort", env={"COLOUR": "a'b $(id) `id`\nsecond line"})
    end(runner, handle)
    assert set(output(handle).split("\n")) <= {"COLOUR", "PATH", "PWD", "TIDEGATE_ATTEMPT", "_", "", "second line"}
    assert "COLOUR" in output(handle)


def test_values_reach_the_script_without_being_interpreted(runner: ProcessRunner, start: Start) -> None:
    handle = start('printf "%s" "$COLOUR"', env={"COLOUR": "a'b $(id) `id` $HOME"})
    end(runner, handle)
    assert output(handle) == "a'b $(id) `id` $HOME"


def test_its_input_is_empty(runner: ProcessRunner, start: Start) -> None:
    handle = start("cat; echo done")
    end(runner, handle)
    assert output(handle) == "done\n"


def test_a_script_that_kills_its_own_group_has_an_exit_status_all_the_same(runner: ProcessRunner, start: Start) -> None:
    handle = start("kill -TERM 0; sleep 30")
    assert end(runner, handle).exit_code == 128 + signal.SIGTERM


def test_another_process_can_watch_what_this_one_started(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"echo up; while [ ! -e {place}/go ]; do sleep 0.02; done; exit 3")
    script = """
import sys
from tidegate.runners.process import ProcessRunner
runner = ProcessRunner()
handle = runner.find(sys.argv[1])
print(runner.poll(handle).state.value, flush=True)
sys.stdin.readline()
ended = runner.wait(handle, 10)
print(ended.state.value, ended.exit_code, ended.ended_at is not None)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, handle.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "running\n"
        (place / "go").touch()
        assert other.communicate("\n", timeout=15)[0] == "exited 3 True\n"


def test_no_command_is_started_twice_in_one_folder(start: Start, place: Path, runner: ProcessRunner) -> None:
    first = start(f"echo x >> {place}/work/count; sleep 30")
    with pytest.raises(AttemptTaken):
        start(f"echo x >> {place}/work/count")
    assert runner.poll(first).state is ProcessState.RUNNING


def test_two_agents_that_start_the_same_attempt_at_once_run_it_once(place: Path) -> None:
    work = place / "work"
    work.mkdir()
    script = """
import sys
from tidegate.model.lease import StepCommand
from tidegate.runners.process import ProcessRunner
from tidegate.runners.runner import AttemptTaken
sys.stdin.readline()
try:
    handle = ProcessRunner().start(StepCommand("echo x >> count", sys.argv[1], sys.argv[2]))
    ProcessRunner().wait(handle, 10)
except AttemptTaken:
    print("taken")
"""
    argv = [sys.executable, "-c", script, str(work), str(place / "attempt.1.1")]
    both = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    answers = [one.communicate(timeout=20)[0] for one in both]
    assert sorted(answers) == ["", "taken\n"]
    assert (work / "count").read_text() == "x\n"


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


def test_cancel_ends_a_script_that_ignores_the_gentle_signal(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"trap '' TERM; echo $$ > {place}/work/pid; while :; do sleep 0.05; done")
    pid = pid_in(place / "work" / "pid")
    runner.cancel(handle, GENTLY)
    assert not is_running(pid)
    assert runner.poll(handle).state is not ProcessState.RUNNING


def test_cancel_lets_a_script_clean_up_first(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"trap 'echo cleaned; exit 4' TERM; touch {place}/work/up; while :; do sleep 0.02; done")
    until((place / "work" / "up").exists)
    runner.cancel(handle, timedelta(seconds=10))
    assert "cleaned" in output(handle)
    assert end(runner, handle).exit_code == 4


def test_cancel_ends_a_stopped_group(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"echo $$ > {place}/work/pid; sleep 60")
    pid = pid_in(place / "work" / "pid")
    os.killpg(handle.pid, signal.SIGSTOP)
    runner.cancel(handle, GENTLY)
    assert not is_running(pid)


def test_a_daemon_with_a_session_of_its_own_is_ended_too(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"setsid sh -c 'echo $$ > {place}/work/pid; exec sleep 60' </dev/null >/dev/null 2>&1 &")
    daemon = pid_in(place / "work" / "pid")
    assert end(runner, handle).exit_code == 0
    assert is_running(daemon)
    runner.cancel(handle, GENTLY)
    assert not is_running(daemon)


def test_a_child_that_keeps_the_output_open_does_not_hold_up_the_end(runner: ProcessRunner, start: Start) -> None:
    handle = start("sleep 60 & echo ready")
    assert end(runner, handle).exit_code == 0
    runner.cancel(handle, GENTLY)
    assert output(handle) == "ready\n"


def test_a_script_that_closes_its_output_is_watched_to_its_end(runner: ProcessRunner, start: Start) -> None:
    handle = start("exec >&- 2>&-; sleep 0.3; exit 5")
    assert runner.wait(handle, 0.1).state is ProcessState.RUNNING
    assert end(runner, handle).exit_code == 5


def test_it_is_gone_only_when_nothing_of_the_group_is_left(runner: ProcessRunner, start: Start, place: Path) -> None:
    handle = start(f"echo $$ > {place}/work/pid; sleep 60")
    inner = pid_in(place / "work" / "pid")
    children = psutil.Process(handle.pid).children(recursive=True)
    os.kill(handle.pid, signal.SIGKILL)
    for child in children:
        if child.pid != inner and inner not in {above.pid for above in child.parents()}:
            child.kill()
    assert runner.wait(handle, 0.3).state is ProcessState.RUNNING
    assert is_running(inner)
    runner.cancel(handle, timedelta(0))
    assert runner.poll(handle).state is ProcessState.GONE


def test_what_ran_before_the_machine_was_started_again_is_gone_and_never_signalled(
    runner: ProcessRunner, start: Start
) -> None:
    handle = start("sleep 60")
    before = replace(handle, boot="another-boot")
    assert runner.poll(before).state is ProcessState.GONE
    runner.cancel(before, timedelta(0))
    assert runner.poll(handle).state is ProcessState.RUNNING


def test_a_later_process_of_the_same_pid_is_not_taken_for_it(runner: ProcessRunner, start: Start, place: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            handle = StepHandle(str(place / "old.1.1"), stranger.pid, 1.0, start("true").boot)
            assert runner.poll(handle).state is ProcessState.GONE
            runner.cancel(handle, timedelta(0))
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_missing_working_folder_is_said_and_nothing_is_started(place: Path, runner: ProcessRunner) -> None:
    command = StepCommand("true", str(place / "missing"), str(place / "attempt.1.1"))
    with pytest.raises(StepNotStarted, match="missing"):
        runner.start(command)
    assert runner.find(str(place / "attempt.1.1")) is None


@pytest.mark.parametrize("length", [1, 3_000_000])
def test_all_output_is_there_when_the_end_is_told(runner: ProcessRunner, start: Start, length: int) -> None:
    handle = start(f"head -c {length} /dev/zero | tr '\\0' x")
    assert end(runner, handle).exit_code == 0
    assert len(output(handle)) == length


def test_a_root_agent_runs_commands_as_the_unprivileged_user(
    as_root: None, runner: ProcessRunner, start: Start, place: Path
) -> None:
    secret = place / "admin-token"
    secret.write_text("hunter2")
    secret.chmod(0o600)
    handle = start(f"id -u; id -g; id -G; umask; cat {secret}")
    assert end(runner, handle).exit_code != 0
    assert output(handle).splitlines()[:4] == [str(UID), str(UID), str(UID), "0022"]
    assert "hunter2" not in output(handle)
    assert "Permission denied" in output(handle)
