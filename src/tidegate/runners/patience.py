"""Waiting for what cannot be interrupted, without being bound to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.1


def patiently(work: Callable[[], T], check_in: Callable[[], None], seconds: float = float("inf")) -> T:
    """What `work` gives or raises; `check_in` is called meanwhile and may raise.

    The work is done in a thread of its own, which is left to itself where nobody waits for it any more. Raises
    TimeoutError after `seconds`.
    """
    given: list[T] = []
    failed: list[BaseException] = []
    has_ended = threading.Event()

    def perform() -> None:
        try:
            given.append(work())
        except BaseException as error:
            failed.append(error)
        has_ended.set()

    until = time.monotonic() + seconds
    threading.Thread(target=perform, daemon=True).start()
    while not has_ended.wait(_LOOK_SECONDS):
        check_in()
        if time.monotonic() >= until:
            raise TimeoutError(f"it took longer than {seconds:g} s")
    if failed:
        raise failed[0]
    return given[0]
