"""Noticing new events. The record is polled, once for all listeners, and only while somebody listens."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from tidegate.api.wakeup import Wakeup
from tidegate.store import events
from tidegate.store.database import Database

LOOK_EVERY_SECONDS = 0.2


class EventFeed:
    """Says when there is an event after a given one. Whoever knows of one says so with `wake`, from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wakeup = Wakeup()
        self._newest = 0
        self._read_at = float("-inf")
        self._woken = 0
        self._reading = asyncio.Lock()

    def wake(self) -> None:
        """Look now."""
        self._wakeup.notify()

    async def newer_than(self, last: int, seconds: float) -> int:
        """The id of the newest event, as soon as it is higher than `last`, at the latest after `seconds`."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + seconds
        while True:
            count = self._wakeup.count
            newest = await self._look()
            left = give_up_at - loop.time()
            if newest > last or left <= 0:
                return newest
            await self._wakeup.higher_than(count, min(left, LOOK_EVERY_SECONDS))

    async def _look(self) -> int:
        """The newest id; what another listener has just read is not read again."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if self._wakeup.count > self._woken or now - self._read_at >= LOOK_EVERY_SECONDS:
                self._woken = self._wakeup.count
                self._newest = await run_in_threadpool(self._read)
                self._read_at = now
            return self._newest

    def _read(self) -> int:
        with self._database.reading() as connection:
            return events.last_id(connection)
