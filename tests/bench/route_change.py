"""How long a change of shares takes, under load: from the call to what users notice of it. Prints; asserts no time.

.venv/bin/python tests/bench/route_change.py [CHANGES]
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.routers.envoy_bench import running_envoy
from tests.integration.routers.services import free_port, get_many, instances, route, routing

from tidegate.model.ids import Generation


@dataclass
class Seen:
    """When each request was sent and which deployment answered it."""

    requests: list[tuple[float, str | None]] = field(default_factory=list)


@contextmanager
def asking(port: int) -> Iterator[Seen]:
    """Two clients that ask without a pause."""
    seen, stop = Seen(), threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            begun = time.monotonic()
            seen.requests += [(begun, one.mark) for one in get_many(port, 1)]

    threads = [threading.Thread(target=ask_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield seen
    stop.set()
    for thread in threads:
        thread.join()


def main(changes: int) -> None:
    """Switch all traffic there and back, and print the medians in milliseconds."""
    first, last, confirmed = [], [], []
    port = free_port()
    with running_envoy() as envoy, instances("v1", "v2") as [v1, v2]:
        envoy.router.set_shares(routing(port, route("v1", 100, v1), route("v2", 0, v2)), Generation(1))
        for number in range(changes):
            old, new = ("v1", "v2") if number % 2 == 0 else ("v2", "v1")
            shares = {old: 0, new: 100}
            split = routing(port, route("v1", shares["v1"], v1), route("v2", shares["v2"], v2))
            with asking(port) as seen:
                threading.Event().wait(0.05)
                begun = time.monotonic()
                if envoy.router.set_shares(split, Generation(number + 2)) is None:
                    raise SystemExit("the router did not confirm a change")
                confirmed.append(time.monotonic() - begun)
                threading.Event().wait(0.05)
            first.append(min(at for at, mark in seen.requests if mark == new) - begun)
            last.append(max(at for at, mark in seen.requests if mark == old) - begun)
    for name, values in (
        ("first request sent that the new deployment answered", first),
        ("last request sent that the old deployment answered", last),
        ("the change is confirmed", confirmed),
    ):
        middle, worst = statistics.median(values) * 1000, max(values) * 1000
        print(f"{name:52} median {middle:6.1f} ms, worst {worst:6.1f} ms after the call ({changes} changes)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
