"""What the demo says to a person at a terminal."""

from __future__ import annotations

import shlex
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tidegate.demo.command import Stage

RUN = "01m8ag5ezzqh2yk3jwavt5g6x0"


@pytest.mark.parametrize(("on_path", "program"), [("/usr/bin/tidegate", "tidegate"), (None, ".venv/bin/tidegate")])
def test_the_command_to_approve_with_works_in_another_terminal(
    monkeypatch: pytest.MonkeyPatch, on_path: str | None, program: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: on_path)
    monkeypatch.setattr("sys.argv", [".venv/bin/tidegate", "demo"])
    said = StringIO()
    stage = Stage(Console(file=said, width=60), "http://127.0.0.1:1", Path("/tmp/shop"), quiet=False, person=True)
    assert stage.approval_is_asked(RUN)
    (line,) = [line for line in said.getvalue().splitlines() if "terminal" in line]
    assert shlex.split(line.partition(": ")[2]) == [program, "approve", RUN, "--data", "/tmp/shop"]
