"""Figures from a command: the contract of sources, and what only a command can do."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.metrics.answering import metric, question
from tests.integration.metrics.source_contract import PATIENCE_SECONDS, Asked, SourceContract

from tidegate.metrics.command import CommandSource
from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import Counted, MetricRule, NoFigures, SourceName
from tidegate.model.recording import MetricKind

LIMIT_SECONDS = 20.0


class ToldCommand:
    """A small program that does what the test says."""

    def __init__(self, folder: Path) -> None:
        self.source = CommandSource()
        self._answer = folder / "answer"
        self.command: tuple[str, ...] = ("cat", str(self._answer))

    def rule(self, kind: MetricKind = MetricKind.RATE) -> MetricRule:
        return metric(kind, source=SourceName.COMMAND, command=self.command)

    def count(self, x: float) -> None:
        self._print({"x": x})

    def distribution(self, edges: list[float], counts: list[float]) -> None:
        self._print({"edges": edges, "counts": counts})

    def values(self, values: list[float]) -> None:
        self._print({"values": values})

    def nothing(self) -> None:
        self.raw(b"null\n")

    def raw(self, answer: bytes) -> None:
        self._answer.write_bytes(answer)

    def refuses(self) -> None:
        self.command = ("sh", "-c", "echo well >&2; echo sorry >&2; exit 3")

    def impatient(self) -> None:
        self.source = CommandSource(longest_seconds=PATIENCE_SECONDS)

    def hangs(self) -> None:
        self.command = ("sleep", "60")

    def drips(self) -> None:
        self.command = ("sh", "-c", "while :; do echo; sleep 0.05; done")

    def _print(self, document: Any) -> None:
        self.raw(json.dumps(document).encode())


@pytest.fixture
def told(tmp_path: Path) -> ToldCommand:
    return ToldCommand(tmp_path)


def python(text: str) -> tuple[str, ...]:
    """A command that runs this program."""
    return (sys.executable, "-c", text)


class TestCommandSource(SourceContract):
    """The contract."""

    def test_it_can_count_both(self, told: ToldCommand, asked: Asked) -> None:
        told.raw(b'{"x": 12, "n": 340}')
        assert asked.read() == Counted(12, 340)

    def test_it_can_say_why_there_is_nothing(self, told: ToldCommand, asked: Asked) -> None:
        told.raw(b'{"no_data": "the account has\\nno orders"}')
        assert asked.read() == NoFigures("the account has no orders")

    @pytest.mark.parametrize(
        ("kind", "printed", "says"),
        [
            (MetricKind.RATE, '{"y": 1}', 'prints "y" where a rate is {"x": 12}'),
            (MetricKind.RATE, '{"x": "12"}', 'prints "x" with "12", which is no number of at least 0'),
            (MetricKind.RATE, '{"x": true}', "is no number"),
            (MetricKind.RATE, '{"x": 1e999}', "is no number"),
            (MetricKind.RATE, '{"x": 1, "n": -1}', 'prints "n" with -1'),
            (MetricKind.HISTOGRAM, '{"edges": [1, 2], "counts": [1, 2]}', '2 "counts" for 2 "edges"; the last of one'),
            (MetricKind.HISTOGRAM, '{"edges": [2, 1], "counts": [1, 2, 3]}', '"edges" that do not grow'),
            (MetricKind.VALUES, '{"values": 3}', '"values" that is no list'),
        ],
    )
    def test_what_is_printed_wrongly_is_said(
        self, told: ToldCommand, asked: Asked, kind: MetricKind, printed: str, says: str
    ) -> None:
        told.raw(printed.encode())
        assert says in asked.fails(kind)

    def test_a_program_that_is_not_there_is_said(self, told: ToldCommand, asked: Asked) -> None:
        told.command = ("/no/such/program",)
        assert asked.fails() == "/no/such/program cannot be started: No such file or directory"

    def test_one_that_was_killed_is_said(self, told: ToldCommand, asked: Asked) -> None:
        told.command = ("sh", "-c", "kill -9 $$")
        assert asked.fails() == "sh was ended by signal 9"

    def test_megabytes_of_complaints_do_not_stop_it(self, told: ToldCommand, asked: Asked) -> None:
        told.command = python("import sys; sys.stderr.write('no' * 2**21); print('{\"x\": 1}')")
        assert asked.read() == Counted(1)

    def test_what_it_leaves_running_keeps_nobody_waiting_and_is_ended(
        self, told: ToldCommand, asked: Asked, tmp_path: Path
    ) -> None:
        pid_file = tmp_path / "pid"
        told.command = ("sh", "-c", f"sleep 60 & echo $! > {pid_file}; echo '{{\"x\": 1}}'")
        begin = time.monotonic()
        assert asked.read() == Counted(1)
        assert time.monotonic() - begin < LIMIT_SECONDS
        assert_ended(int(pid_file.read_text()))

    def test_one_that_hangs_is_ended_with_its_children(self, told: ToldCommand, asked: Asked, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        told.command = ("sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait")
        told.source = CommandSource(longest_seconds=2)
        asked.fails()
        assert_ended(int(pid_file.read_text()))

    def test_it_gets_the_question_its_secrets_and_nothing_else_of_the_server(
        self, told: ToldCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OF_THE_SERVER", "x")
        file = tmp_path / "seen"
        told.command = python(
            f"import json, os, sys; json.dump([dict(os.environ), sys.argv[1:]], open({str(file)!r}, 'w'))"
        )
        told.command += ("$TIDEGATE_DEPLOYMENT; $(id)",)
        with pytest.raises(SourceFailed):
            told.source.read(question(told.rule(), "production-new", secrets={"API_KEY": "s3cret"}))
        env, words = json.loads(file.read_text())
        assert words == ["$TIDEGATE_DEPLOYMENT; $(id)"]
        assert "OF_THE_SERVER" not in env
        known = {name: value for name, value in env.items() if name.startswith("TIDEGATE_") or name == "API_KEY"}
        assert known == {
            "API_KEY": "s3cret",
            "TIDEGATE_METRIC": "orders",
            "TIDEGATE_SERVICE": "shop",
            "TIDEGATE_ENVIRONMENT": "production",
            "TIDEGATE_DEPLOYMENT": "production-new",
            "TIDEGATE_BEGIN": "2026-03-02T11:59:00+00:00",
            "TIDEGATE_END": "2026-03-02T12:00:00+00:00",
            "TIDEGATE_BEGIN_EPOCH": "1772452740.000",
            "TIDEGATE_END_EPOCH": "1772452800.000",
            "TIDEGATE_WINDOW_SECONDS": "60",
        }

    def test_its_secrets_are_in_no_message(self, told: ToldCommand) -> None:
        told.command = ("sh", "-c", 'echo "no entry with $API_KEY" >&2; exit 1')
        with pytest.raises(SourceFailed, match=r"no entry with \*\*\*$"):
            told.source.read(question(told.rule(), secrets={"API_KEY": "s3cret"}))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_it_runs_as_who_is_stated(self, told: ToldCommand, asked: Asked) -> None:
        told.source = CommandSource(run_as=61200)
        told.command = ("sh", "-c", 'echo "{\\"x\\": $(id -u)}"')
        assert asked.read() == Counted(61200)


def assert_ended(pid: int) -> None:
    """That the process is gone, or only waits for its parent to ask."""
    pause, give_up_at = threading.Event(), time.monotonic() + LIMIT_SECONDS
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < give_up_at
            pause.wait(0.01)
