"""Synthetic requests to a real HTTP server."""

from __future__ import annotations

import http.server
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tidegate.metrics.synthetic import SyntheticRequests, SyntheticSender
from tidegate.model.ids import PlacementId

SHOP = PlacementId("shop/staging")
PAY = PlacementId("pay/staging")


@dataclass
class Listener:
    """A server that notes every request: its path and who sent it."""

    url: str
    requests: queue.Queue[tuple[str, str]] = field(default_factory=queue.Queue)
    hold: threading.Event = field(default_factory=threading.Event)

    def next(self, seconds: float = 60.0) -> tuple[str, str]:
        return self.requests.get(timeout=seconds)

    def stays_quiet(self, seconds: float) -> bool:
        try:
            self.requests.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.put((self.path, self.headers["User-Agent"]))
            if self.path == "/held":
                found.hold.wait(20)
            self.send_response(500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Listener(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sender() -> Iterator[SyntheticSender]:
    sender = SyntheticSender()
    yield sender
    sender.stop()


def test_requests_come_at_the_path_and_say_who_sends_them(listener: Listener, sender: SyntheticSender) -> None:
    sender.set_wanted({SHOP: SyntheticRequests(f"{listener.url}/items?page=1", 50)})
    assert listener.next() == ("/items?page=1", "tidegate-synthetic")


def test_they_come_at_the_rate_that_is_wanted_whatever_they_are_answered(
    listener: Listener, sender: SyntheticSender
) -> None:
    begin = threading.Event()
    sender.set_wanted({SHOP: SyntheticRequests(listener.url, 100)})
    listener.next()
    begin.wait(0.5)
    sender.stop()
    # 50 are due in half a second; a busy machine may lose some, none may be added
    assert 15 <= listener.requests.qsize() <= 60


def test_wanting_the_same_again_neither_doubles_nor_restarts_them(listener: Listener, sender: SyntheticSender) -> None:
    before = threading.active_count()
    for _ in range(5):
        sender.set_wanted({SHOP: SyntheticRequests(listener.url, 1)})
    assert threading.active_count() - before <= 2
    listener.next()
    assert listener.stays_quiet(0.3)


def test_what_is_no_longer_wanted_stops_and_the_rest_goes_on(listener: Listener, sender: SyntheticSender) -> None:
    pay = SyntheticRequests(f"{listener.url}/pay", 20)
    sender.set_wanted({SHOP: SyntheticRequests(f"{listener.url}/shop", 20), PAY: pay})
    assert {listener.next()[0] for _ in range(10)} == {"/shop", "/pay"}
    sender.set_wanted({PAY: pay})
    for _ in range(3):
        listener.next()
    arrived = [listener.next()[0] for _ in range(40)]  # what was on its way already comes first
    assert set(arrived[-5:]) == {"/pay"}
    sender.stop()
    while not listener.stays_quiet(0.2):
        pass


def test_a_service_that_does_not_answer_is_not_asked_by_ever_more_threads(
    listener: Listener, sender: SyntheticSender
) -> None:
    sender.set_wanted({SHOP: SyntheticRequests(f"{listener.url}/held", 200)})
    for _ in range(8):
        listener.next()
    assert listener.stays_quiet(0.2)


def test_nobody_listening_does_no_harm(listener: Listener, sender: SyntheticSender) -> None:
    sender.set_wanted({PAY: SyntheticRequests("http://127.0.0.1:9/", 50), SHOP: SyntheticRequests(listener.url, 50)})
    for _ in range(5):
        listener.next()


@pytest.mark.parametrize(("url", "rate"), [("https://127.0.0.1:1/", 1), ("ftp://x/", 1), ("http://127.0.0.1:1/", 0)])
def test_what_cannot_be_sent_is_refused_at_once(url: str, rate: float) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        SyntheticRequests(url, rate)
