"""Steady traffic to a service, and what became of every request."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

MARK = "x-tidegate-deployment"
HARMED_MARK = "x-tidegate-rehearsed"
TIMEOUT_SECONDS = 10.0
IN_FLIGHT_AT_MOST = 200
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: when it was sent, by which deployment it was answered (None: no mark), whether it failed, and
    whether it was harmed on purpose, in a rehearsal."""

    sent_at: datetime
    deployment: str | None
    failed: bool
    harmed: bool = False


class Traffic:
    """Sends `per_second` GET requests to an address from a thread of its own, until it is stopped."""

    def __init__(self, address: str, paths: tuple[str, ...], per_second: float) -> None:
        self._address = address
        self._paths = paths
        self._per_second = per_second
        self._answers: list[Answered] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="demo-traffic", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sending and wait for what is in flight."""
        self._stopping.set()
        self._thread.join(TIMEOUT_SECONDS + 5)

    def answers(self) -> tuple[Answered, ...]:
        """All requests that have ended so far."""
        return tuple(self._answers)

    async def _send(self) -> None:
        limits = httpx.Limits(max_connections=IN_FLIGHT_AT_MOST, max_keepalive_connections=50)
        in_flight: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(base_url=self._address, timeout=TIMEOUT_SECONDS, limits=limits) as client:
            due, count = loop.time(), 0
            while not self._stopping.is_set():
                task = asyncio.create_task(self._ask(client, self._paths[count % len(self._paths)]))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
                count += 1
                due += 1 / self._per_second
                await asyncio.sleep(max(0.0, due - loop.time()))
                if len(in_flight) >= IN_FLIGHT_AT_MOST:
                    await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            if in_flight:
                await asyncio.wait(in_flight)

    async def _ask(self, client: httpx.AsyncClient, path: str) -> None:
        sent_at = datetime.now(UTC)
        try:
            answer = await client.get(path)
        except httpx.HTTPError:
            self._answers.append(Answered(sent_at, None, failed=True))
        else:
            failed = answer.status_code >= SERVER_ERROR
            harmed = HARMED_MARK in answer.headers
            self._answers.append(Answered(sent_at, answer.headers.get(MARK), failed, harmed))
