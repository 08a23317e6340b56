"""The demo's story ends as told, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tidegate-told-", dir="/tmp"))
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


def _left_of(data: Path) -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(data) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.timeout(400)
def test_the_story_ends_as_told(data: Path) -> None:
    command = [sys.executable, "-m", "tidegate.cli.main", "demo", "--once", "--json", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["status"] for one in report["releases"]] == ["succeeded", "succeeded", "rolled_back", "rolled_back"]
    assert report["rolled_back"] == [report["releases"][2]["commit"], report["releases"][3]["commit"]]
    assert report["failed_requests_outside_canary"] == 0
    assert report["requests"] > 1000
    assert report["rollback_seconds"] is not None
    assert "errors" in report["releases"][2]["why"]
    assert "latency" in report["releases"][3]["why"]
    assert _left_of(data) == []


def test_a_folder_without_versions_is_refused_before_anything_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidegate.cli.main", "demo", "--once", "--service", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "1-first" in done.stdout + done.stderr
