"""A short folder that every user may pass through, and whatever was started in it is ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.model.lease import StepCommand, StepHandle
from tidegate.runners.process import ProcessRunner

UID = 61200

Start = Callable[..., StepHandle]


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgr-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def runner() -> ProcessRunner:
    return ProcessRunner(run_as=UID if os.geteuid() == 0 else None)


@pytest.fixture
def start(place: Path, runner: ProcessRunner) -> Iterator[Start]:
    """Start a script in the attempt's folder of that name."""
    handles: list[StepHandle] = []

    def begin(script: str, name: str = "attempt.1.1", env: dict[str, str] | None = None) -> StepHandle:
        work = place / "work"
        if not work.exists():
            work.mkdir(mode=0o755)
            if runner.run_as is not None:
                os.chown(work, runner.run_as, runner.run_as)
        command = StepCommand(script=script, cwd=str(work), folder=str(place / name), env=env or {})
        handle = runner.start(command)
        handles.append(handle)
        return handle

    yield begin
    for handle in handles:
        runner.cancel(handle, timedelta(0))


def output(handle: StepHandle) -> str:
    return (Path(handle.folder) / "output").read_text(errors="replace")


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Look again and again until the condition holds; fails after `seconds`."""
    import threading
    import time

    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.01)


@pytest.fixture
def as_root() -> None:
    """What needs root is skipped elsewhere, and fails where nothing may be skipped."""
    if os.geteuid() == 0:
        return
    if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
        pytest.fail("this test needs root")
    pytest.skip("this test needs root")
