"""A step that writes more than 100 MB harms nobody: memory is bounded, all answers come, and the end is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from .fleet import MIB, Memory, repository
from .harness import World, a_world, wait_for

SERVER_GROWS_MIB = 64.0
AGENT_MIB = 96.0
COMMAND_MIB = 96.0
PAGE_MIB = 4.0

SCRIPT = """\
line() {{ head -c "$1" /dev/zero | tr '\\0' x; }}
yes "$(line 16000)" | head -c 12000000; echo
until test -f {go}; do sleep 0.1; done
yes "$(line {line})" | head -c {size}; echo
echo the end
"""
"""Few long lines while the test looks, and then many."""


@dataclass(frozen=True)
class Flood:
    """Lines of so many characters, so many bytes of them, and the word with which the log ends."""

    line: int
    size: int
    status: str
    ends: str
    limit: float

    def __str__(self) -> str:
        return f"{self.size // 10**6} MB in lines of {self.line}"


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as started:
        started.service = "loud"
        yield started


@pytest.mark.parametrize(
    "flood",
    [
        Flood(999, 100_000_000, "succeeded", "the end", 90.0),
        pytest.param(
            Flood(99, 110_000_000, "failed", "wrote more than 1000000 lines, the most that a log holds", 400.0),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            Flood(999, 300_000_000, "failed", "wrote more than 256 MiB, the most that a log holds", 400.0),
            marks=pytest.mark.slow,
        ),
    ],
    ids=str,
)
@pytest.mark.timeout(600)
def test_a_hundred_megabytes_of_a_step(world: World, flood: Flood) -> None:
    go = world.folder / "go"
    script = SCRIPT.format(go=go, line=flood.line, size=flood.size)
    repository(world.folder / "loud", "loud", json.dumps(script), 1)
    with Memory() as memory:
        for name in ("server", "agent"):
            memory.watch(name, world.pid(name))
        wait_for(lambda: "agent" in memory.first, "the agent's memory")
        assert world.run("service", "add", str(world.folder / "loud")).returncode == 0
        (run,) = wait_for(lambda: world.api("GET", "/api/v1/runs")["items"] or None, "the run")
        step = _step(world, run["id"])
        with _browser(world) as browser:
            wait_for(lambda: _line(world, step, 700), "the first 12 MB")
            _looks(world, browser, run["id"], step)
            go.touch()
            wait_for(lambda: _has_ended(world, browser, run["id"], step), "the end of it", flood.limit)
            _looks(world, browser, run["id"], step)
    assert world.api("GET", f"/api/v1/runs/{run['id']}")["status"] == flood.status
    assert memory.most["server"] - memory.first["server"] < SERVER_GROWS_MIB, memory.most
    assert memory.most["agent"] < AGENT_MIB, memory.most
    last, used = _logs(world, run["id"])
    assert flood.ends in last
    assert used < COMMAND_MIB


def _has_ended(world: World, browser: httpx.Client, run: str, step: str) -> bool:
    """Whether the run has ended; everybody else is answered meanwhile."""
    for path in ("/", f"/runs/{run}", f"/steps/{step}/log"):
        browser.get(path).raise_for_status()
    return str(world.api("GET", f"/api/v1/runs/{run}")["status"]) not in ("running", "waiting")


def _looks(world: World, browser: httpx.Client, run: str, step: str) -> None:
    """What a person looks at is there, and no larger than a browser likes, wherever in the log it is."""
    assert "loud" in browser.get(f"/runs/{run}").raise_for_status().text
    for first in (0, 650):
        page = browser.get(f"/steps/{step}/log", params={"first": first}).raise_for_status()
        assert f'id="L{first + 1}"' in page.text
        assert len(page.content) < PAGE_MIB * MIB
    some = world.api("GET", f"/api/v1/steps/{step}/log", params={"limit": 10_000})
    assert 0 < len(some["lines"]) == some["next"]
    assert not some["ended"]


def _line(world: World, step: str, index: int) -> bool:
    """Whether the server has that line of the log."""
    return bool(world.api("GET", f"/api/v1/steps/{step}/log", params={"first": index, "limit": 1})["lines"])


def _step(world: World, run: str) -> str:
    (step,) = world.api("GET", f"/api/v1/runs/{run}")["steps"]
    return str(step["id"])


@contextmanager
def _browser(world: World) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    code = world.api("POST", "/api/v1/sign-in-codes")["code"]
    with httpx.Client(base_url=world.address, follow_redirects=True, timeout=60) as browser:
        browser.get("/sign-in", params={"code": code}).raise_for_status()
        yield browser


_COMMAND = """
import atexit, re, sys
from pathlib import Path
from tidegate.cli.start import main
used = Path(sys.argv.pop(1))  # what wait4 tells counts the process that this one was forked from, too
peak = lambda: re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
atexit.register(lambda: used.write_text(peak()))
main()
"""


def _logs(world: World, run: str) -> tuple[str, float]:
    """The last line that `tidegate logs` prints, and the most memory that it used, in MiB."""
    printed, used = world.folder / "printed", world.folder / "used"
    env = {**os.environ, "TIDEGATE_DATA": str(world.data)}
    with printed.open("wb") as file:
        command = [sys.executable, "-c", _COMMAND, str(used), "logs", run]
        assert subprocess.run(command, env=env, stdout=file, timeout=120).returncode == 0
    return _last_line(printed), int(used.read_text()) / 1024


def _last_line(file: Path) -> str:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 2000))
        return opened.read().decode().splitlines()[-1]
