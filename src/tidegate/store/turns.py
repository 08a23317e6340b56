"""Turns: one after another, in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class NoTurn(Exception):
    """Nobody let go in time."""


class Turns:
    """A lock that is fair: a thread that lets go of it and wants it again waits behind all others.

    SQLite lets one writer in at a time and leaves the others to try again; whoever tries at the right moment gets in,
    and a thread can be unlucky for many seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def mine(self, seconds: float) -> Iterator[None]:
        """Have a turn. Raises NoTurn where it does not come within that time."""
        self._take(seconds)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, seconds: float) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(seconds):
            return
        with self._lock:
            if called.is_set():  # just now
                return
            self._waiting.remove(called)
        raise NoTurn

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
