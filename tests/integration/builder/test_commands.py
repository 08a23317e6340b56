"""Commands that resist: nothing of them outlives their step, and nothing that they write breaks a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.processes import is_running

from tidegate.builder.command import Limits
from tidegate.builder.stop import Stop
from tidegate.model.step_run import StepState

from .tree import Seen, Tree, step

DAEMON = "{wrap} sh -c 'echo $$ > pid; exec sleep 300' >/dev/null 2>&1 & while ! test -s pid; do :; done"


class Asking(Seen):
    """Asks for the end when a step says so: with each line `stop` once."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        super().wrote(name, lines)
        for line in lines:
            if line == "stop":
                self._stop.ask()


def is_gone(tree: Tree) -> bool:
    """Whether the process whose pid is in the file `pid` has ended."""
    return not is_running(int(tree.text("pid")))


@pytest.mark.parametrize("wrap", ["", "setsid", "nohup setsid"])
def test_what_a_step_leaves_running_is_ended_with_it(tree: Tree, wrap: str) -> None:
    tree.steps = [step("leaves", DAEMON.format(wrap=wrap))]
    assert tree.build().state is StepState.SUCCEEDED
    assert is_gone(tree)


def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(tree: Tree) -> None:
    tree.steps = [step("leaves", "setsid sleep 300 & echo $! > pid; echo done")]
    seen = tree.build()
    assert (seen.state, seen.lines["leaves"]) == (StepState.SUCCEEDED, ["done"])
    assert is_gone(tree)


def test_a_step_that_closes_its_output_is_waited_for(tree: Tree) -> None:
    tree.steps = [step("quiet", "exec >&- 2>&-; sleep 0.1; : > end")]
    assert tree.build().state is StepState.SUCCEEDED
    assert (tree.folder / "end").exists()


def test_a_step_that_ignores_the_gentle_signal_is_ended_by_force(tree: Tree) -> None:
    tree.limits = Limits(grace_seconds=0.05)
    stubborn = "trap '' TERM; echo $$ > pid; while :; do sleep 0.01; done"
    tree.steps = [step("stubborn", stubborn, timeout=timedelta(seconds=0.2))]
    assert tree.build().state_of("stubborn") is StepState.TIMED_OUT
    assert is_gone(tree)


def test_a_wish_to_stop_ends_what_runs_gently_and_begins_nothing(tree: Tree) -> None:
    tree.write("a")
    polite = "trap 'echo tidied; exit 0' TERM; echo stop; while :; do sleep 0.01; done"
    tree.steps = [step("polite", polite, inputs=("a",)), step("next"), step("after", needs=("polite",))]
    stop = Stop()
    seen = tree.build(jobs=1, stop=stop, seen=Asking(stop))
    assert seen.state is StepState.CANCELLED
    assert seen.ran == ["polite"]
    assert "tidied" in seen.lines["polite"]
    assert {seen.state_of(name) for name in ("polite", "next", "after")} == {StepState.CANCELLED}
    assert tree.results() == []


def test_a_second_wish_does_not_wait(tree: Tree) -> None:
    tree.limits = Limits(grace_seconds=300)
    tree.steps = [step("stubborn", "trap 'echo stop' TERM; echo stop; echo $$ > pid; while :; do sleep 0.01; done")]
    stop = Stop()
    assert tree.build(stop=stop, seen=Asking(stop)).state is StepState.CANCELLED
    assert is_gone(tree)


def test_a_wish_ends_the_setup_too(tree: Tree) -> None:
    from tidegate.model.pipeline import Setup

    tree.setup = Setup("echo stop; sleep 300")
    tree.steps = [step("one"), step("two")]
    stop = Stop()
    seen = tree.build(stop=stop, seen=Asking(stop))
    assert (seen.state, seen.ran) == (StepState.CANCELLED, ["setup"])


def test_what_is_no_text_becomes_lines_that_act_on_no_terminal(tree: Tree) -> None:
    script = r"printf 'a\377b\n\033[31mred\033[0m\033]0;title\007\n10%%\r100%%\nno end'"
    tree.steps = [step("binary", script)]
    assert tree.build().lines["binary"] == ["a\ufffdb", "\x1b[31mred\x1b[0m", "100%", "no end"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("yes", "more than 1000 lines"),
        ("tr '\\0' x < /dev/zero", "more than 1 MiB"),
    ],
)
def test_endless_output_ends_the_step(tree: Tree, script: str, words: str) -> None:
    tree.limits = Limits(output_bytes=1024 * 1024, lines=1000)
    tree.steps = [step("endless", script)]
    seen = tree.build()
    assert seen.state_of("endless") is StepState.FAILED
    assert f"it was stopped because it wrote {words}" in seen.detail("endless")
    assert max(map(len, seen.lines["endless"])) <= 16 * 1024
    assert seen.lines["endless"][-1].startswith("── it was stopped")


def test_a_step_that_wrote_too_much_fails_even_where_it_ended_by_itself(tree: Tree) -> None:
    tree.limits = Limits(lines=1000)
    tree.steps = [step("quick", "seq 1002")]
    seen = tree.build()
    assert seen.state_of("quick") is StepState.FAILED
    assert "it wrote more than 1000 lines, the most" in seen.detail("quick")


def test_a_step_that_writes_to_its_own_standard_error_by_name_loses_nothing(tree: Tree) -> None:
    tree.steps = [step("named", "echo one; echo two > /dev/stderr; echo three")]
    assert tree.build().lines["named"] == ["one", "two", "three"]


def test_a_step_has_no_input_and_no_terminal(tree: Tree) -> None:
    tree.steps = [step("asks", "read answer || echo nobody; test ! -t 0")]
    assert tree.build().lines["asks"] == ["nobody"]


def test_an_exit_status_by_a_signal_is_said_in_words(tree: Tree) -> None:
    tree.steps = [step("dies", "kill -KILL $$")]
    assert "was there not enough memory?" in tree.build().detail("dies")


def test_a_command_that_is_not_there_is_said_in_words(tree: Tree) -> None:
    tree.steps = [step("typo", "pyhton -V")]
    assert "a command was not found" in tree.build().detail("typo")


@pytest.mark.parametrize("directory", ["nowhere", "..", "link"])
def test_a_working_directory_lies_below_the_services_folder(tree: Tree, directory: str) -> None:
    os.symlink("/", tree.folder / "link")
    tree.steps = [step("lost", working_directory=directory)]
    assert "(`working_directory` of the step)" in tree.build().detail("lost")


def test_steps_run_beside_each_other(tree: Tree) -> None:
    meet = "touch {me}; while ! test -e {other}; do sleep 0.01; done"
    tree.steps = [step("a", meet.format(me="a", other="b")), step("b", meet.format(me="b", other="a"))]
    assert tree.build(jobs=2).state is StepState.SUCCEEDED


def test_nothing_temporary_is_left(tree: Tree) -> None:
    tree.steps = [step("writes", 'touch "$TMPDIR/x"; echo "$TMPDIR"')]
    folder = Path(tree.build().lines["writes"][0])
    assert not folder.exists()
    assert not folder.parent.parent.exists()


def test_what_a_killed_build_left_running_is_ended_by_the_next_one(tree: Tree) -> None:
    script = "import sys; from pathlib import Path; from tests.integration.builder.tree import Tree, step\n"
    script += "tree = Tree(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    script += f"tree.steps = [step('long', {DAEMON.format(wrap='setsid')!r} + '; kill -KILL $PPID; exec sleep 300')]\n"
    argv = [sys.executable, "-c", script + "tree.build()", str(tree.folder), str(tree.cache)]
    killed = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not is_gone(tree)
    tree.steps = [step("next")]
    tree.build()
    assert is_gone(tree)
