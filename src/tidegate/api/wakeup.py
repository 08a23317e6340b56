"""Waking coroutines from threads: long polls wait without holding a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Wakeup:
    """Counts notifications. A coroutine reads `count`, looks at what it waits for, and then waits for a higher one:
    what happened between the two is not missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def count(self) -> int:
        """How often it was notified."""
        return self._count

    def notify(self) -> None:
        """Wake all that wait; from any thread."""
        with self._lock:
            self._count += 1
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            # a loop that has ended has nobody to wake
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_wake, future)

    async def higher_than(self, count: int, seconds: float) -> bool:
        """Wait until it was notified more often than `count` times; whether it was within `seconds`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._count > count:
                return True
            self._waiting.add(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting.discard(future)
        return True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
