"""The task queue in this process: every hint is looked at, in time, and one subject by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.engine import queue as queue_module
from tidegate.engine.clock import Clock, SystemClock
from tidegate.engine.queue import InProcessQueue

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT_MOST = 10.0
"""Seconds after which a test that waits has failed."""

BY_ITSELF_SOON = timedelta(milliseconds=20)


class StandingClock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


class Watcher:
    """Looks at subjects: notes each look, and lets a test wait for it, keep it going or make it fail."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.began: list[str] = []
        self.ended: list[str] = []
        self.most_at_once: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._kept: dict[str, threading.Event] = {}
        self._failing: dict[str, int] = {}
        self.during: Callable[[str], None] = lambda subject: None

    def look(self, subject: str) -> None:
        with self._changed:
            self.began.append(subject)
            self._now[subject] = self._now.get(subject, 0) + 1
            self.most_at_once[subject] = max(self.most_at_once.get(subject, 0), self._now[subject])
            fails = self._failing.get(subject, 0) > 0
            self._failing[subject] = self._failing.get(subject, 0) - 1
            self._changed.notify_all()
        try:
            self.during(subject)
            kept = self._kept.get(subject)
            assert kept is None or kept.wait(AT_MOST), f"nobody let {subject} go on"
            if fails:
                raise RuntimeError("the look failed, as the test wants it")
        finally:
            with self._changed:
                self._now[subject] -= 1
                self.ended.append(subject)
                self._changed.notify_all()

    def keep(self, subject: str) -> threading.Event:
        """Looks at the subject last until the event is set."""
        self._kept[subject] = threading.Event()
        return self._kept[subject]

    def fail(self, subject: str, times: int) -> None:
        self._failing[subject] = times

    def wait_begun(self, subject: str, times: int = 1) -> None:
        self._wait(lambda: self.began.count(subject) >= times, f"{subject} to begin {times} times")

    def wait_ended(self, subject: str, times: int = 1) -> None:
        self._wait(lambda: self.ended.count(subject) >= times, f"{subject} to end {times} times")

    def _wait(self, so: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(so, AT_MOST), f"waited in vain for {what}; began: {self.began}"


@contextmanager
def working(watcher: Watcher, *, clock: Clock | None = None, threads: int = 1) -> Iterator[InProcessQueue]:
    queue = InProcessQueue(clock or StandingClock(), watcher.look, threads)
    queue.start()
    try:
        yield queue
    finally:
        queue.stop(AT_MOST)
    assert not still_alive(queue)


def still_alive(queue: InProcessQueue) -> list[str]:
    """The threads that have not ended."""
    return [thread.name for thread in queue._threads if thread.is_alive()]


@pytest.fixture(autouse=True)
def _no_look_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is not woken sleeps on: no test passes because one happened to wake by itself."""
    monkeypatch.setattr(queue_module, "LONGEST_SLEEP_SECONDS", 3600.0)


# now and later


def test_a_hint_is_looked_at() -> None:
    watcher = Watcher()
    with working(watcher) as queue:
        queue.hint("run:1")
        watcher.wait_ended("run:1")


def test_a_hint_before_the_start_is_not_lost() -> None:
    watcher = Watcher()
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    queue.hint("run:1")
    queue.start()
    try:
        watcher.wait_ended("run:1")
    finally:
        queue.stop(AT_MOST)


def test_a_hint_for_later_waits_for_its_time() -> None:
    watcher, clock = Watcher(), StandingClock()
    with working(watcher, clock=clock) as queue:
        queue.hint("placement:later", NOON + timedelta(hours=1))
        queue.hint("run:now")
        watcher.wait_ended("run:now")
        assert "placement:later" not in watcher.began
        clock.time = NOON + timedelta(hours=1)
        queue.hint("run:now")
        watcher.wait_ended("placement:later")


def test_a_hint_for_later_wakes_by_itself() -> None:
    watcher = Watcher()
    with working(watcher, clock=SystemClock()) as queue:
        queue.hint("run:1", datetime.now(UTC) + BY_ITSELF_SOON)
        watcher.wait_ended("run:1")


def test_what_is_due_first_is_looked_at_first() -> None:
    watcher, clock = Watcher(), StandingClock()
    queue = InProcessQueue(clock, watcher.look, 1)
    for subject, minutes in (("c", 3), ("a", 1), ("b", 2)):
        queue.hint(subject, NOON + timedelta(minutes=minutes))
    clock.time = NOON + timedelta(minutes=5)
    queue.start()
    try:
        watcher.wait_ended("c")
    finally:
        queue.stop(AT_MOST)
    assert watcher.ended == ["a", "b", "c"]


def test_an_earlier_hint_overtakes_a_later_one_which_is_then_forgotten() -> None:
    watcher, clock = Watcher(), StandingClock()
    with working(watcher, clock=clock) as queue:
        queue.hint("run:1", NOON + timedelta(hours=1))
        queue.hint("run:1")
        watcher.wait_ended("run:1")
        clock.time = NOON + timedelta(hours=2)
        queue.hint("run:2")
        watcher.wait_ended("run:2")
    assert watcher.began == ["run:1", "run:2"]


def test_a_later_hint_does_not_put_off_an_earlier_one() -> None:
    watcher = Watcher()
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    queue.hint("run:1")
    queue.hint("run:1", NOON + timedelta(hours=1))
    queue.start()
    try:
        watcher.wait_ended("run:1")
    finally:
        queue.stop(AT_MOST)


def test_many_hints_at_one_subject_before_it_is_looked_at_are_one_look() -> None:
    watcher = Watcher()
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    for _ in range(100):
        queue.hint("run:1")
    queue.hint("run:2", NOON)
    queue.start()
    try:
        watcher.wait_ended("run:2")
    finally:
        queue.stop(AT_MOST)
    assert watcher.began.count("run:1") == 1


# one at a time, and none lost


def test_two_threads_look_at_two_subjects_at_once() -> None:
    watcher = Watcher()
    together = threading.Barrier(2)

    def meet(subject: str) -> None:
        together.wait(AT_MOST)

    watcher.during = meet
    with working(watcher, threads=2) as queue:
        queue.hint("run:1")
        queue.hint("run:2")
        watcher.wait_ended("run:1")
        watcher.wait_ended("run:2")


def test_one_subject_is_looked_at_by_one_thread_at_a_time() -> None:
    watcher = Watcher()
    go_on = watcher.keep("run:1")
    with working(watcher, threads=4) as queue:
        queue.hint("run:1")
        watcher.wait_begun("run:1")
        for number in range(5):
            queue.hint("run:1")
            queue.hint(f"other:{number}")
            watcher.wait_ended(f"other:{number}")
        assert watcher.began.count("run:1") == 1, "a second thread looks at what is looked at"
        go_on.set()
        watcher.wait_ended("run:1", 2)
    assert watcher.most_at_once["run:1"] == 1


def test_a_hint_during_a_look_is_not_lost_and_is_one_more_look() -> None:
    watcher = Watcher()
    go_on = watcher.keep("run:1")
    with working(watcher, threads=2) as queue:
        queue.hint("run:1")
        watcher.wait_begun("run:1")
        queue.hint("run:1")
        queue.hint("run:1")
        go_on.set()
        watcher.wait_ended("run:1", 2)
        queue.hint("run:2")
        watcher.wait_ended("run:2")
    assert watcher.began.count("run:1") == 2


def test_a_look_may_hint_at_its_own_subject() -> None:
    watcher = Watcher()
    with working(watcher) as queue:
        watcher.during = lambda subject: queue.hint(subject) if len(watcher.began) < 3 else None
        queue.hint("run:1")
        watcher.wait_ended("run:1", 3)


def test_a_subject_that_is_looked_at_keeps_nobody_from_the_others() -> None:
    watcher = Watcher()
    go_on = watcher.keep("run:1")
    with working(watcher, threads=2) as queue:
        queue.hint("run:1")
        watcher.wait_begun("run:1")
        queue.hint("run:1", NOON - timedelta(hours=1))
        queue.hint("run:2")
        watcher.wait_ended("run:2")
        go_on.set()


def test_hints_from_many_threads_all_reach_a_look() -> None:
    watcher = Watcher()
    with working(watcher, threads=4) as queue:

        def hint_at_all(who: int) -> None:
            for number in range(50):
                queue.hint(f"run:{who}-{number}")

        hinting = [threading.Thread(target=hint_at_all, args=(who,)) for who in range(4)]
        for thread in hinting:
            thread.start()
        for thread in hinting:
            thread.join(AT_MOST)
        for who in range(4):
            for number in range(50):
                watcher.wait_ended(f"run:{who}-{number}")
    assert set(watcher.most_at_once.values()) == {1}


# what goes wrong


def test_a_look_that_fails_does_not_end_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    watcher = Watcher()
    watcher.fail("run:bad", 1)
    with working(watcher) as queue:
        queue.hint("run:bad")
        watcher.wait_ended("run:bad")
        queue.hint("run:good")
        watcher.wait_ended("run:good")
    assert "looking at run:bad failed; it is looked at again" in caplog.text


def test_a_look_that_failed_is_made_again_after_a_while() -> None:
    watcher, clock = Watcher(), StandingClock()
    watcher.fail("run:bad", 1)
    with working(watcher, clock=clock) as queue:
        queue.hint("run:bad")
        watcher.wait_ended("run:bad")
        queue.hint("run:good")
        watcher.wait_ended("run:good")
        assert watcher.began.count("run:bad") == 1, "it is not made again at once"
        clock.time = NOON + timedelta(seconds=1)
        queue.hint("run:good")
        watcher.wait_ended("run:bad", 2)


def test_a_failing_subject_that_is_hinted_at_meanwhile_is_looked_at_at_once() -> None:
    watcher = Watcher()
    watcher.fail("run:bad", 1)
    with working(watcher) as queue:
        queue.hint("run:bad")
        watcher.wait_ended("run:bad")
        queue.hint("run:bad")
        watcher.wait_ended("run:bad", 2)


# the end


def test_a_stop_wakes_threads_that_wait_for_a_time_far_away() -> None:
    watcher = Watcher()
    queue = InProcessQueue(StandingClock(), watcher.look, 3)
    queue.start()
    queue.hint("run:1", NOON + timedelta(days=3))
    queue.stop(AT_MOST)
    assert not still_alive(queue)
    assert watcher.began == []


def test_a_stop_lets_a_look_end_and_begins_no_other() -> None:
    watcher = Watcher()
    go_on = watcher.keep("run:1")
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    queue.start()
    queue.hint("run:1")
    watcher.wait_begun("run:1")
    queue.hint("run:2")
    queue.stop(timeout=0.01)
    go_on.set()
    queue.stop(AT_MOST)
    assert watcher.ended == ["run:1"]


def test_a_stop_does_not_wait_for_ever_for_a_look_that_hangs() -> None:
    watcher = Watcher()
    go_on = watcher.keep("run:1")
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    queue.start()
    queue.hint("run:1")
    watcher.wait_begun("run:1")
    queue.stop(timeout=0.01)
    assert watcher.ended == []
    go_on.set()
    watcher.wait_ended("run:1")


def test_a_hint_after_the_end_is_harmless() -> None:
    watcher = Watcher()
    queue = InProcessQueue(StandingClock(), watcher.look, 1)
    queue.start()
    queue.stop(AT_MOST)
    queue.hint("run:1")
    assert watcher.began == []
