"""Telling processes apart by what the system says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tidegate.runners.identity import has_mark


def test_a_process_carries_its_mark_also_while_it_becomes_another_program(tmp_path: Path) -> None:
    """The system shows no environment in that moment; here it is such a moment again and again."""
    (tmp_path / "again.sh").write_text('exec /bin/sh "$0"\n')
    env = {"SOME_MARK": "one", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["/bin/sh", str(tmp_path / "again.sh")], env=env) as process:
        try:
            while not has_mark(process.pid, "SOME_MARK", "one"):  # until it has begun at all
                assert process.poll() is None
            assert all(has_mark(process.pid, "SOME_MARK", "one") for _ in range(1000))
            assert not has_mark(process.pid, "SOME_MARK", "two")
        finally:
            process.kill()


def test_a_process_without_an_environment_carries_none() -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as process:
        try:
            assert not has_mark(process.pid, "SOME_MARK", "one")
        finally:
            process.kill()
