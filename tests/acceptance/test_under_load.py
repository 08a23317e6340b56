"""Ten releases roll out one after another, by each strategy, under load: nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from websockets.sync.client import connect

from .harness import LIMIT_SECONDS, Version, World, a_world

CONNECTIONS = 8
REQUESTS_PER_SECOND = 200.0
RELEASES = 10
DEPLOYS = {
    "rolling": "{strategy: rolling}",
    "blue-green": "{strategy: blue-green, keep_warm: 1s}",
    "canary": "{strategy: canary, shares: [50%], keep_warm: 1s}",
}


@dataclass
class Load:
    """What the users saw."""

    sent: int = 0
    slow: int = 0
    echoes: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def requests(self, address: str) -> None:
        """One keep-alive connection's share of the requests, at a steady pace."""
        pause = CONNECTIONS / REQUESTS_PER_SECOND
        with httpx.Client(base_url=address, timeout=20) as client:
            due = time.monotonic()
            while not self.stopping.is_set():
                self._ask(client, "/")
                self.sent += 1
                due += pause
                self.stopping.wait(max(0.0, due - time.monotonic()))

    def slow_requests(self, address: str) -> None:
        """Requests of two seconds, one after another."""
        with httpx.Client(base_url=address, timeout=20) as client:
            while not self.stopping.is_set():
                self._ask(client, "/slow")
                self.slow += 1

    def websocket(self, address: str) -> None:
        """One WebSocket, open all the time."""
        try:
            with connect(address.replace("http://", "ws://") + "/ws", open_timeout=20) as socket:
                while not self.stopping.is_set():
                    socket.send(str(self.echoes))
                    if socket.recv(timeout=20) != str(self.echoes):
                        self.failures.append("the WebSocket's echo was another")
                    self.echoes += 1
                    self.stopping.wait(0.1)
        except Exception as error:
            self.failures.append(f"the WebSocket was cut: {error!r}")

    def _ask(self, client: httpx.Client, path: str) -> None:
        try:
            answer = client.get(path)
        except httpx.HTTPError as error:
            self.failures.append(f"{path}: {error!r}")
        else:
            if answer.is_error:
                self.failures.append(f"{path}: {answer.status_code} {answer.text[:100]}")


@contextmanager
def under_load(address: str) -> Iterator[Load]:
    """Users of three kinds, until the end of the block."""
    load = Load()
    work = [load.requests] * CONNECTIONS + [load.slow_requests] * 2 + [load.websocket]
    threads = [threading.Thread(target=one, args=(address,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join(LIMIT_SECONDS)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as started:
        yield started


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("strategy", "releases"),
    [
        ("rolling", RELEASES),
        ("blue-green", RELEASES),
        ("canary", 2),
        pytest.param("canary", RELEASES, marks=pytest.mark.slow),
    ],
)
def test_releases_roll_out_one_after_another_without_a_failed_request(
    world: World, strategy: str, releases: int
) -> None:
    # the machine that the load comes from is the one that is judged, so only errors and great slowness count
    verify = "{at_most: 2m, metrics: {latency: {tolerance: 500%}}}" if strategy == "canary" else ""
    first = Version(f"{strategy} 0", {})
    assert world.release(first) == "succeeded", world.log()
    with under_load(world.url()) as load:
        for number in range(1, releases + 1):
            version = Version(f"{strategy} {number}", {}, deploy=DEPLOYS[strategy], verify=verify)
            assert world.release(version) == "succeeded", world.log()
    assert load.failures == []
    assert load.sent > REQUESTS_PER_SECOND
    assert load.slow > 0
    assert load.echoes > 0
