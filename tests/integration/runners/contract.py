"""What every runner must do, wherever a command runs: written once, run against each adapter.

A test class inherits `RunnerContract` and gives a fixture `bench`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.model.lease import Mount, PolledStep, ProcessState, StepCommand, StepHandle
from tidegate.runners.runner import AttemptTaken, Runner, StepNotStarted

UID = 61200
GENTLY = timedelta(milliseconds=300)
AT_ONCE = timedelta(0)


@dataclass
class Bench:
    """A runner to be tried in a folder; `elsewhere` is the source that makes `runner` in another process."""

    runner: Runner
    place: Path
    elsewhere: str
    run_as: int | None
    image: str | None = None
    handles: list[StepHandle] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """The working folder, which belongs to the commands' user."""
        work = self.place / "work"
        if not work.exists():
            work.mkdir(mode=0o755)
            if self.run_as is not None:
                os.chown(work, self.run_as, self.run_as)
        return work

    def command(self, script: str, name: str = "attempt.1.1", env: Mapping[str, str] | None = None) -> StepCommand:
        """A command in the attempt's folder of that name."""
        mounts = () if self.image is None else (Mount(str(self.work)),)
        return StepCommand(script, str(self.work), str(self.place / name), env or {}, self.image, mounts)

    def start(self, script: str, name: str = "attempt.1.1", env: Mapping[str, str] | None = None) -> StepHandle:
        handle = self.runner.start(self.command(script, name, env))
        self.handles.append(handle)
        return handle

    def ended(self, handle: StepHandle) -> PolledStep:
        polled = self.runner.wait(handle, 20)
        assert polled.state is not ProcessState.RUNNING
        return polled

    def output(self, script: str, env: Mapping[str, str] | None = None) -> str:
        """What a script says until it ends."""
        handle = self.start(script, env=env)
        self.ended(handle)
        return output(handle)

    def other_process(self, source: str, command: StepCommand) -> subprocess.Popen[str]:
        """Python that has `runner` and `command`; it is another agent."""
        lines = ["import os, signal, sys", _IMPORTS, self.elsewhere, f"command = {command!r}", source]
        argv = [sys.executable, "-c", "\n".join(lines)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        for handle in self.handles:
            self.runner.cancel(handle, AT_ONCE)


_IMPORTS = """
from tidegate.model.lease import Mount, StepCommand
from tidegate.runners.runner import AttemptTaken
"""


def output(handle: StepHandle) -> str:
    return (Path(handle.folder) / "output").read_text(errors="replace")


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Look again and again until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.01)


def beats(file: Path) -> bool:
    """Whether something goes on writing to the file."""
    before = file.stat().st_size if file.exists() else 0
    deadline = time.monotonic() + 0.4
    while time.monotonic() < deadline:
        threading.Event().wait(0.02)
        if file.exists() and file.stat().st_size > before:
            return True
    return False


BEAT = "while :; do echo >> beat; sleep 0.05; done"


class RunnerContract:
    """What an agent relies on."""

    def test_both_streams_and_the_exit_status_are_kept(self, bench: Bench) -> None:
        handle = bench.start("echo out; echo err >&2; exit 7")
        assert bench.ended(handle).exit_code == 7
        assert output(handle) == "out\nerr\n"

    def test_when_it_ended_is_told_to_whoever_looks_later(self, bench: Bench) -> None:
        before = datetime.now(UTC)
        handle = bench.start("true")
        ended = bench.ended(handle)
        assert ended.ended_at is not None
        assert before - timedelta(seconds=1) <= ended.ended_at <= datetime.now(UTC)
        bench.runner.cancel(handle, GENTLY)
        assert bench.runner.poll(handle) == ended

    def test_a_script_that_reopens_its_error_stream_does_not_cut_off_the_log(self, bench: Bench) -> None:
        said = bench.output("echo one; echo two > /dev/stderr; echo three > /dev/stdout; echo four")
        assert said == "one\ntwo\nthree\nfour\n"

    def test_a_command_that_does_not_exist_ends_with_127_and_the_shells_message(self, bench: Bench) -> None:
        handle = bench.start("no-such-command --now")
        assert bench.ended(handle).exit_code == 127
        assert "no-such-command: not found" in output(handle)

    def test_the_first_failing_line_and_an_unset_variable_end_the_script(self, bench: Bench) -> None:
        assert bench.ended(bench.start("false; echo never", "a.1.1")).exit_code == 1
        assert bench.ended(bench.start('echo "$UNSET_NAME"', "b.1.1")).exit_code != 0

    def test_values_reach_the_script_without_being_interpreted(self, bench: Bench) -> None:
        colour = "a'b $(id) `id` $HOME\nsecond line: 100%"
        assert bench.output('printf "%s" "$COLOUR"', env={"COLOUR": colour}) == colour

    def test_nothing_of_the_agents_environment_reaches_a_command(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SERVER_SECRET", "hunter2")
        said = bench.output("env", env={"COLOUR": "blue"})
        assert "COLOUR=blue\n" in said
        assert "SERVER_SECRET" not in said

    def test_its_input_is_empty_and_its_umask_is_022(self, bench: Bench) -> None:
        assert bench.output("cat; umask") == "0022\n"

    def test_a_script_that_kills_its_own_group_has_an_exit_status_all_the_same(self, bench: Bench) -> None:
        handle = bench.start("kill -TERM 0; sleep 30")
        assert bench.ended(handle).exit_code == 128 + signal.SIGTERM

    def test_it_runs_as_the_steps_user_and_no_group_more(self, as_root: None, bench: Bench) -> None:
        assert bench.run_as == UID
        assert bench.output("id -u; id -g; id -G; echo > made").splitlines() == [str(UID)] * 3
        assert (bench.work / "made").stat().st_uid == UID

    def test_the_script_may_be_long_and_its_user_cannot_change_it(self, as_root: None, bench: Bench) -> None:
        script = f": {'x' * 300_000}\n[ ! -w $0 ] || echo changed\necho done"
        assert bench.output(script) == "done\n"

    @pytest.mark.parametrize("length", [1, 3_000_000])
    def test_all_output_is_there_when_the_end_is_told(self, bench: Bench, length: int) -> None:
        handle = bench.start(f"head -c {length} /dev/zero | tr '\\0' x")
        assert bench.ended(handle).exit_code == 0
        assert output(handle) == "x" * length

    def test_bytes_that_are_no_text_are_kept_as_they_are(self, bench: Bench) -> None:
        handle = bench.start(r"printf '\000\377\r\n\033[1m\303'")
        bench.ended(handle)
        assert (Path(handle.folder) / "output").read_bytes() == b"\x00\xff\r\n\x1b[1m\xc3"

    def test_a_script_that_closes_its_output_is_watched_to_its_end(self, bench: Bench) -> None:
        handle = bench.start("exec >&- 2>&-; sleep 0.3; exit 5")
        assert bench.runner.wait(handle, 0.1).state is ProcessState.RUNNING
        assert bench.ended(handle).exit_code == 5

    def test_a_child_that_keeps_the_output_open_does_not_hold_up_the_end(self, bench: Bench) -> None:
        handle = bench.start("sleep 60 & echo ready")
        assert bench.ended(handle).exit_code == 0
        bench.runner.cancel(handle, GENTLY)
        assert output(handle) == "ready\n"

    def test_nothing_is_found_where_nothing_was_started(self, bench: Bench) -> None:
        assert bench.runner.find(str(bench.place / "nothing.1.1")) is None

    def test_a_missing_working_folder_is_said_and_nothing_is_started(self, bench: Bench) -> None:
        command = replace(bench.command("true"), cwd=str(bench.place / "missing"))
        with pytest.raises(StepNotStarted, match="missing"):
            bench.runner.start(command)
        assert bench.runner.find(command.folder) is None


class DurableRunnerContract:
    """What lets an agent die, come back, and end what it finds."""

    def test_another_process_can_watch_what_this_one_started(self, bench: Bench) -> None:
        bench.start("echo up; while [ ! -e go ]; do sleep 0.02; done; exit 3")
        source = """
handle = runner.find(command.folder)
print(runner.poll(handle).state.value, flush=True)
sys.stdin.readline()
ended = runner.wait(handle, 10)
print(ended.state.value, ended.exit_code, ended.ended_at is not None)
"""
        with bench.other_process(source, bench.command("")) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "running\n"
            (bench.work / "go").touch()
            assert other.communicate("\n", timeout=15)[0] == "exited 3 True\n"

    def test_what_is_written_while_no_agent_is_there_is_complete_and_in_order(self, bench: Bench) -> None:
        command = bench.command("echo x >> count; for i in $(seq 2000); do echo $i; done; touch written; sleep 0.2")
        with bench.other_process("runner.start(command); os.kill(os.getpid(), signal.SIGKILL)", command) as killed:
            assert killed.wait(timeout=20) == -signal.SIGKILL
        until((bench.work / "written").exists)
        handle = bench.runner.find(command.folder)
        assert handle is not None
        bench.handles.append(handle)
        assert bench.ended(handle).exit_code == 0
        assert output(handle) == "".join(f"{i}\n" for i in range(1, 2001))
        assert (bench.work / "count").read_text() == "x\n"

    def test_no_command_is_started_twice_in_one_folder(self, bench: Bench) -> None:
        first = bench.start("echo x >> count; sleep 30")
        until((bench.work / "count").exists)
        with pytest.raises(AttemptTaken):
            bench.start("echo x >> count")
        assert bench.runner.poll(first).state is ProcessState.RUNNING
        bench.runner.cancel(first, AT_ONCE)
        with pytest.raises(AttemptTaken):
            bench.start("echo x >> count")
        assert (bench.work / "count").read_text() == "x\n"

    def test_two_agents_that_start_the_same_attempt_at_once_run_it_once(self, bench: Bench) -> None:
        source = """
sys.stdin.readline()
try:
    runner.wait(runner.start(command), 10)
except AttemptTaken:
    print("taken")
"""
        both = [bench.other_process(source, bench.command("echo x >> count")) for _ in range(2)]
        for one in both:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        answers = [one.communicate(timeout=20)[0] for one in both]
        found = bench.runner.find(str(bench.place / "attempt.1.1"))
        assert found is not None
        bench.handles.append(found)
        assert sorted(answers) == ["", "taken\n"]
        assert (bench.work / "count").read_text() == "x\n"

    def test_cancel_ends_a_script_that_ignores_the_gentle_signal(self, bench: Bench) -> None:
        handle = bench.start(f"trap '' TERM; {BEAT}")
        until((bench.work / "beat").exists)
        bench.runner.cancel(handle, GENTLY)
        assert not beats(bench.work / "beat")
        assert bench.runner.poll(handle).state is not ProcessState.RUNNING

    def test_cancel_lets_a_script_clean_up_first(self, bench: Bench) -> None:
        handle = bench.start("trap 'echo cleaned; exit 4' TERM; touch up; while :; do sleep 0.02; done")
        until((bench.work / "up").exists)
        bench.runner.cancel(handle, timedelta(seconds=10))
        assert "cleaned" in output(handle)
        assert bench.ended(handle).exit_code == 4

    def test_cancel_reaches_the_script_and_its_children_at_once(self, bench: Bench) -> None:
        child = "sh -c 'trap \"echo child; exit\" TERM; touch up; while :; do sleep 0.02; done'"
        handle = bench.start(f"trap 'echo script' TERM; {child}; exit 3")
        until((bench.work / "up").exists)
        began = time.monotonic()
        bench.runner.cancel(handle, timedelta(seconds=15))
        assert time.monotonic() - began < 10
        assert {"child", "script"} <= set(output(handle).splitlines())

    def test_cancel_ends_a_script_that_is_stopped(self, bench: Bench) -> None:
        handle = bench.start("trap 'touch cleaned; exit' TERM; touch up; kill -STOP $$; while :; do sleep 0.02; done")
        until((bench.work / "up").exists)
        bench.runner.cancel(handle, timedelta(seconds=10))
        assert (bench.work / "cleaned").exists()
        assert bench.runner.poll(handle).state is not ProcessState.RUNNING

    def test_a_daemon_with_a_session_of_its_own_is_asked_to_end_too(self, bench: Bench) -> None:
        daemon = f"trap 'touch cleaned; exit' TERM; {BEAT}"
        handle = bench.start(f'setsid sh -c "{daemon}" </dev/null >/dev/null 2>&1 & until [ -e beat ]; do :; done')
        assert bench.ended(handle).exit_code == 0
        assert beats(bench.work / "beat")
        bench.runner.cancel(handle, timedelta(seconds=10))
        assert (bench.work / "cleaned").exists()
        assert not beats(bench.work / "beat")

    def test_what_ran_before_the_machine_was_started_again_is_gone_and_never_signalled(self, bench: Bench) -> None:
        handle = bench.start("sleep 60")
        before = replace(handle, boot="another-boot")
        assert bench.runner.poll(before).state is ProcessState.GONE
        bench.runner.cancel(before, AT_ONCE)
        assert bench.runner.poll(handle).state is ProcessState.RUNNING

    def test_cancelling_what_is_gone_is_no_error(self, bench: Bench) -> None:
        handle = bench.start("true")
        ended = bench.ended(handle)
        bench.runner.cancel(handle, AT_ONCE)
        bench.runner.cancel(handle, GENTLY)
        assert bench.runner.poll(handle) == ended
