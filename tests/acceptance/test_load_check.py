"""A load check with the real tool, a real server, router and agent: what holds too little does not go on."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .harness import World, a_world, wait_for

pytestmark = pytest.mark.slow

BUSIEST = 5400
"""Requests in production's busiest minute: 90 a second, of which twice as many are asked."""

PIPELINE = """\
service: sample
build: {steps: [{name: test, run: test -f service.py}]}
runtime: {command: exec python3 service.py, health: {path: /healthz, within: 10s}}
stages:
  - name: staging
    environment: staging
    verify:
      traffic: {path: /, rate: 20/s}
      checks: [{name: answers, run: python3 ask.py, every: 1s}]
      load: {multiple: 2, at_least: 180/s, ramp: 8s}
  - name: production
    environment: production
    gate: {policy: stages.staging.load.multiple >= 2.0}
"""

ASK = 'import os, urllib.request\nurllib.request.urlopen(os.environ["TIDEGATE_URL"]).read()\n'

SERVICE = '''\
"""It answers so many requests a second, and has the rest wait."""
import os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = 1 / float(open("capacity").read())
lock, free_at = threading.Lock(), 0.0


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def do_GET(self):
        global free_at
        if self.path != "/healthz":
            with lock:
                free_at = until = max(free_at, time.monotonic()) + SECONDS
            time.sleep(max(0.0, until - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *told):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size, daemon_threads = 1024, True


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


@pytest.fixture
def world() -> Iterator[World]:
    """A server whose steps run as its own user, who may run what is installed beside its Python."""
    assert shutil.which("locust") or (Path(sys.executable).parent / "locust").exists(), "pip install locust"
    with tempfile.TemporaryDirectory(prefix="tidegate-load-", dir="/tmp") as shut:
        folder = Path(shut) / "world"
        folder.mkdir()
        with a_world(folder) as world:
            world.repository.mkdir()
            for name, text in {"service.py": SERVICE, "ask.py": ASK, "tidegate.yaml": PIPELINE}.items():
                (world.repository / name).write_text(text)
            for words in (
                ["init", "-q", "-b", "main"],
                ["config", "user.name", "Sam"],
                ["config", "user.email", "s@x.y"],
            ):
                world._git(*words)
            production_was_busy(world)
            yield world


def production_was_busy(world: World) -> None:
    """What the traffic log would hold after a week with users."""
    hour = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%d %H:00:00.000000")
    with sqlite3.connect(world.data / "tidegate.sqlite3", timeout=10) as database:
        database.execute(
            "INSERT INTO traffic (placement, span, begin, requests, errors, busiest, edges, latency) "
            "VALUES ('sample/production', 'hour', ?, 90000, 0, ?, '[]', '[]')",
            (hour, BUSIEST),
        )
    database.close()


def committed(world: World, capacity: int) -> str:
    """A version that answers so many requests a second; its run."""
    (world.repository / "capacity").write_text(str(capacity))
    world._git("add", "--all")
    world._git("commit", "-q", "-m", f"{capacity} a second")
    commit = world._git("rev-parse", "HEAD").strip()
    if not world.api("GET", "/api/v1/services"):
        world.add()
    return world.run_of(commit)


def test_what_saturates_at_one_and_a_half_times_fails_where_twice_is_asked(world: World) -> None:
    # 1.6 times, beside the checks: the sixth of eight steps is held, the seventh is not
    run = committed(world, 148)
    assert world.ended(run) == "rolled_back"
    told = world.api("GET", f"/api/v1/runs/{run}")
    (rollout,) = told["rollouts"]
    assert rollout["cause"]["for_cause"]
    load = rollout["load"]
    # a machine that is busy with other things has it hold less
    assert load["verdict"] == "fail" and 0.25 <= load["multiple"] <= 1.5
    held = f"verification failed: the service held {load['multiple']:g} times the busiest minute of the last week"
    assert rollout["cause"]["text"].startswith(held)
    assert "2 times are asked: beyond it" in rollout["cause"]["text"]
    assert load["busiest"] == BUSIEST
    assert [step["rate"] for step in load["steps"]] == [22.5 * number for number in range(1, 9)]
    (checks,) = [step for step in told["steps"] if step["name"] == "answers"]
    assert checks["attempt"] > 3, "it ran again and again meanwhile"
    assert not world.placement("production")["release"]


def test_what_holds_twice_as_much_comes_to_the_gate_with_its_figures(world: World) -> None:
    run = committed(world, 1000)

    def _at_the_gate() -> dict[str, object] | None:
        stages = world.api("GET", f"/api/v1/runs/{run}")["stages"]
        return next((one for one in stages if one["name"] == "production" and one["state"] == "gate"), None)

    gate = wait_for(_at_the_gate, "the gate to production")["gate"]
    assert isinstance(gate, dict)
    assert [one["rule"] for one in gate["blocking"]] == ["approvals"], gate
    assert "policy" in [one["rule"] for one in gate["because"]], gate
    (rollout,) = world.api("GET", f"/api/v1/runs/{run}")["rollouts"]
    assert (rollout["load"]["verdict"], rollout["load"]["multiple"]) == ("pass", 2.0)
