"""The load tool itself: an open loop, whose figures tell a service that stalls from one that holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tidegate.agent.confined import ConfinedFolder
from tidegate.agent.load_tool import MISSING, load_environment, load_script, read_load
from tidegate.model.load import LoadPlan

CAPACITY = 60.0
"""Requests a second; a quarter of them by far are answered with 500 where the path says so."""


class Saturating(BaseHTTPRequestHandler):
    """Answers CAPACITY requests a second, and has the rest wait."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    lock = threading.Lock()
    free_at = 0.0

    def do_GET(self) -> None:
        with Saturating.lock:
            Saturating.free_at = until = max(Saturating.free_at, time.monotonic()) + 1 / CAPACITY
        time.sleep(max(0.0, until - time.monotonic()))
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *told: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Takes every connection at once."""

    request_queue_size = 1024
    daemon_threads = True


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Saturating) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def path(require: Callable[[str, bool], None]) -> str:
    """A PATH on which the tool is."""
    found = os.pathsep.join((os.environ["PATH"], str(Path(sys.executable).parent)))
    require("locust", shutil.which("locust", path=found) is not None)
    return found


def performed(plan: LoadPlan, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """The script as a step's shell runs it."""
    env = {"PATH": path, "HOME": str(folder), **load_environment(plan)}
    command = ["/bin/sh", "-eu", "-c", load_script(plan)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


def test_a_service_is_asked_at_the_rates_of_the_plan_whether_it_answers_or_not(
    address: str, tmp_path: Path, path: str
) -> None:
    plan = LoadPlan(f"{address}/", (30.0, 120.0), 1.0, busiest=90)
    done = performed(plan, tmp_path, path)
    assert done.returncode == 0, done.stderr
    held, not_held = read_load(plan, ConfinedFolder(tmp_path)).steps
    assert (held.sent, not_held.sent) == (30, 120)
    assert (held.failed, not_held.failed) == (0, 0)
    assert not not_held.is_held
    assert not_held.answered_rate < 0.75 * not_held.rate
    assert held.p99 is not None and not_held.p99 is not None and not_held.p99 > 300, "the wait in the queue counts"
    assert "2 of 2: 120 requests at 120/s are sent" in done.stdout


def test_what_is_answered_with_an_error_and_what_is_not_answered_has_failed(
    tmp_path: Path, address: str, path: str
) -> None:
    for url in (f"{address}/broken", "http://127.0.0.1:1/"):
        plan = LoadPlan(url, (30.0,), 1.0)
        assert performed(plan, tmp_path, path).returncode == 0
        (step,) = read_load(plan, ConfinedFolder(tmp_path)).steps
        assert (step.sent, step.failed) == (30, 30)


def test_a_tool_that_is_missing_is_told_by_the_exit_code(tmp_path: Path) -> None:
    plan = LoadPlan("http://127.0.0.1:1/", (30.0,), 1.0)
    script = load_script(plan).replace(str(Path(sys.executable).parent / "locust"), "/nowhere/locust")
    done = subprocess.run(["/bin/sh", "-eu", "-c", script], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, timeout=30)
    assert done.returncode in MISSING
