"""The task queue: hints to look at a row. Losing one, or getting one twice, changes nothing."""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.engine.clock import Clock
from tidegate.store.database import StoreUnavailable

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 5.0


class TaskQueue(Protocol):
    """Brings a subject (`run:ID` or `placement:ID`) to whoever looks at it."""

    def hint(self, subject: str, at: datetime | None = None) -> None:
        """Look at the subject now, or at a time."""


class InProcessQueue:
    """Threads in this process, woken directly; one subject is looked at by one thread at a time."""

    def __init__(self, clock: Clock, look: Callable[[str], None], threads: int = 4) -> None:
        self._clock = clock
        self._look = look
        self._due: list[tuple[datetime, str]] = []
        self._earliest: dict[str, datetime] = {}
        self._running: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"tidegate-worker-{index}", daemon=True)
            for index in range(threads)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Let each thread end what it is doing, for at most `timeout` seconds each."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    def hint(self, subject: str, at: datetime | None = None) -> None:
        """Look at the subject now, or at a time."""
        due = at or self._clock.now()
        with self._changed:
            known = self._earliest.get(subject)
            if known is not None and known <= due:
                return
            self._earliest[subject] = due
            heapq.heappush(self._due, (due, subject))
            self._changed.notify()

    def _work(self) -> None:
        while (subject := self._next()) is not None:
            try:
                self._look(subject)
            except StoreUnavailable as error:
                log.error("looking at %s: %s", subject, error)
                self._again_later(subject)
            except Exception:
                log.exception("looking at %s failed; it is looked at again", subject)
                self._again_later(subject)
            finally:
                with self._changed:
                    self._running.discard(subject)
                    self._changed.notify_all()

    def _again_later(self, subject: str) -> None:
        self.hint(subject, self._clock.now() + timedelta(seconds=1))

    def _next(self) -> str | None:
        with self._changed:
            while not self._stopping:
                subject = self._take_due()
                if subject is not None:
                    return subject
                self._changed.wait(self._seconds_to_next())
        return None

    def _take_due(self) -> str | None:
        now = self._clock.now()
        kept: list[tuple[datetime, str]] = []
        found: str | None = None
        while self._due and self._due[0][0] <= now:
            due, subject = heapq.heappop(self._due)
            if self._earliest.get(subject) != due:
                continue
            if subject in self._running:
                kept.append((due, subject))
                continue
            found = subject
            break
        for entry in kept:
            heapq.heappush(self._due, entry)
        if found is not None:
            del self._earliest[found]
            self._running.add(found)
        return found

    def _seconds_to_next(self) -> float:
        now = self._clock.now()
        waits = [(due - now).total_seconds() for due, subject in self._due if subject not in self._running]
        return max(0.0, min([LONGEST_SLEEP_SECONDS, *waits]))
