"""An instance behind the fault answers as it does itself, but for the harm that was asked for."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidegate.rehearsal import faulty

SERVICE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"fine " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n" % (len(body), body))
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

Start = Callable[..., tuple[subprocess.Popen[bytes], int]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "service.py").write_text(SERVICE)
    started: list[subprocess.Popen[bytes]] = []

    def _start(fault: str, where: str = "production", quick: float = 1) -> tuple[subprocess.Popen[bytes], int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ["--fault", fault, "--in", "production", "--health", "/healthz", "--quick", str(quick)]
        process = subprocess.Popen(
            [sys.executable, "-I", faulty.__file__, *words, "--", f"exec {sys.executable} service.py"],
            cwd=tmp_path,
            env={**os.environ, "PORT": str(port), "TIDEGATE_ENVIRONMENT": where},
            start_new_session=True,
        )
        started.append(process)
        give_up_at = time.monotonic() + 20
        while process.poll() is None and _ask(port, "/healthz") in (None, 502) and time.monotonic() < give_up_at:
            time.sleep(0.02)
        return process, port

    yield _start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ask(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def _harmed(port: int, count: int) -> list[tuple[int, str | None, float]]:
    found = []
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        began = time.monotonic()
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        found.append((answer.status, answer.headers.get(faulty.MARK.decode()), time.monotonic() - began))
        connection.close()
    return found


def test_without_a_fault_everything_comes_through(start: Start) -> None:
    process, port = start("errors", where="staging")
    assert {(status, mark) for status, mark, _ in _harmed(port, 100)} == {(200, None)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = os.urandom(300_000)
    connection.request("POST", "/", body=body)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (201, body)
    process.terminate()
    assert process.wait(10) == 128 + signal.SIGTERM


def test_errors_are_about_as_many_as_was_said_and_marked(start: Start) -> None:
    _, port = start("errors")
    failed = [one for one in _harmed(port, 400) if one[0] == 500]
    assert 5 <= len(failed) <= 45
    assert {mark for _, mark, _ in failed} == {"errors"}
    assert {_ask(port, "/healthz") for _ in range(50)} == {200}


def test_slow_answers_are_late_and_marked(start: Start) -> None:
    _, port = start("slow")
    assert all(mark == "slow" and seconds > 0.2 for _, mark, seconds in _harmed(port, 2))


def test_a_leak_grows(start: Start) -> None:
    _, port = start("leak", quick=100)
    first = _harmed(port, 1)[0]
    give_up_at = time.monotonic() + 20
    while (last := _harmed(port, 1)[0])[1] != "leak" and time.monotonic() < give_up_at:
        pass
    assert first[1] is None
    assert last[1] == "leak"
    assert last[0] == 500 or last[2] > first[2]


def test_what_never_gets_healthy_serves_everything_else(start: Start) -> None:
    _, port = start("unhealthy")
    give_up_at = time.monotonic() + 20
    while _ask(port, "/") == 502 and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert _ask(port, "/") == 200
    assert _ask(port, "/healthz") == 500


def test_a_crash_ends_the_service_as_well(start: Start) -> None:
    process, port = start("crash")
    give_up_at = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < give_up_at:
        _ask(port, "/")
        time.sleep(0.05)
    assert process.returncode == -signal.SIGKILL
    assert _ask(port, "/healthz") is None


def test_a_service_that_ends_ends_it_all_with_its_status(start: Start, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("raise SystemExit(7)")
    process, _ = start("none")
    assert process.wait(10) == 7
