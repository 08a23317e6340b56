"""Waiting without being bound to what is waited for."""

from __future__ import annotations

import threading

import pytest

from tidegate.runners.patience import patiently


def test_what_the_work_gives_or_raises_comes_back() -> None:
    assert patiently(lambda: 42, lambda: None) == 42
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0, lambda: None)


def test_nobody_waits_for_longer_than_they_want() -> None:
    end = threading.Event()

    def look() -> None:
        raise InterruptedError

    try:
        with pytest.raises(InterruptedError):
            patiently(lambda: end.wait(20), look)
        with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"):
            patiently(lambda: end.wait(20), lambda: None, 0.05)
    finally:
        end.set()
