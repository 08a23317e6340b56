"""What came after a moment is told by numbers, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tidegate.runners.newcomers import newcomers, started_so_far

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/sys/kernel/ns_last_pid"), reason="this system does not tell the last pid"
)


@contextmanager
def sleeping() -> Iterator[int]:
    """The pid of a process."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def told(uid: int) -> tuple[int, int, list[int]]:
    """A process, one that came after it, and the newcomers; tried again where much else was started meanwhile."""
    for _ in range(50):
        with sleeping() as first:
            before = started_so_far()
            with sleeping() as second:
                found = newcomers(before, uid)
        if found is not None:
            return first, second, found
    pytest.skip("this machine starts too many processes")


def test_a_process_that_came_later_is_one_and_the_first_is_none() -> None:
    first, second, found = told(os.geteuid())
    assert second in found
    assert first not in found


def test_a_process_of_another_user_is_none() -> None:
    assert told(54321)[2] == []


def test_a_thread_is_none() -> None:
    end = threading.Event()
    for _ in range(50):
        before = started_so_far()
        thread = threading.Thread(target=end.wait)
        thread.start()
        found = newcomers(before, os.geteuid())
        end.set()
        thread.join()
        if found is not None:
            assert thread.native_id not in found
            return
    pytest.skip("this machine starts too many processes")


def test_where_much_was_started_or_nothing_is_known_nothing_is_told() -> None:
    now = started_so_far()
    assert now is not None
    assert newcomers(None, 0) is None
    assert newcomers(replace(now, count=now.count - 1000), 0) is None
    assert newcomers(replace(now, count=now.count + 1000), 0) is None


def test_where_the_numbers_began_anew_nothing_is_told() -> None:
    now = started_so_far()
    assert now is not None
    assert newcomers(replace(now, last=sys.maxsize), 0) is None
