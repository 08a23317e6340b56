"""The demo's traffic against a real server: every request is accounted for, also those that nobody answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.integration.api.world import eventually

from tidegate.demo.traffic import MARK, Answered, Traffic

PATHS = ("/good", "/bad", "/missing", "/unmarked")


class _Service(BaseHTTPRequestHandler):
    """Answers as its paths say, with the mark of the deployment that answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/cut":
            self.close_connection = True
            return
        if self.path == "/slow":
            assert self.server.hold.wait(20)  # type: ignore[attr-defined]
        self.send_response({"/bad": 503, "/missing": 404}.get(self.path, 200))
        if self.path != "/unmarked":
            self.send_header(MARK, f"deployment of {self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hold() -> threading.Event:
    """Lets requests to /slow be answered."""
    return threading.Event()


@pytest.fixture
def address(hold: threading.Event) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.daemon_threads = True
    server.hold = hold  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def sent(address: str, *paths: str, per_second: float = 200.0) -> Iterator[Traffic]:
    traffic = Traffic(address, paths, per_second)
    traffic.start()
    try:
        yield traffic
    finally:
        traffic.stop()


def _after(traffic: Traffic, so: Callable[[tuple[Answered, ...]], bool], what: str) -> tuple[Answered, ...]:
    eventually(lambda: so(traffic.answers()), what)
    traffic.stop()
    return traffic.answers()


def test_each_answer_is_counted_to_the_deployment_that_gave_it(address: str) -> None:
    with sent(address, *PATHS) as traffic:
        answers = _after(traffic, lambda seen: len(seen) >= 20, "twenty answers")
    kinds = {(one.deployment, one.failed) for one in answers}
    assert kinds == {
        ("deployment of /good", False),
        ("deployment of /bad", True),
        ("deployment of /missing", False),
        (None, False),
    }


def test_the_paths_are_asked_for_in_turn(address: str) -> None:
    with sent(address, *PATHS) as traffic:
        answers = _after(traffic, lambda seen: len(seen) >= 12, "twelve answers")
    by_path = [len([one for one in answers if one.deployment == f"deployment of {path}"]) for path in PATHS[:3]]
    assert max(by_path) - min(by_path) <= 1


@pytest.mark.parametrize("how", ["refused", "cut"])
def test_a_request_that_is_not_answered_has_failed_and_is_nobodys(address: str, how: str) -> None:
    if how == "refused":
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with sent(address, "/cut") as traffic:
        answers = _after(traffic, lambda seen: len(seen) >= 3, "three failures")
    assert {(one.deployment, one.failed) for one in answers} == {(None, True)}


def test_what_is_in_flight_when_it_stops_is_waited_for_and_counted(address: str, hold: threading.Event) -> None:
    with sent(address, "/good", "/slow") as traffic:
        eventually(lambda: len(traffic.answers()) >= 5, "five answers")
        assert not [one for one in traffic.answers() if one.deployment == "deployment of /slow"]
        hold.set()
    answers = traffic.answers()
    slow = [one for one in answers if one.deployment == "deployment of /slow"]
    assert slow
    assert abs(len(answers) - 2 * len(slow)) <= 1


def test_nothing_is_sent_after_it_was_stopped(address: str) -> None:
    with sent(address, "/good") as traffic:
        answers = _after(traffic, lambda seen: len(seen) >= 3, "three answers")
        assert not traffic._thread.is_alive()
    assert traffic.answers() == answers
