"""Writers take turns, and none is unlucky for long."""

from __future__ import annotations

import threading

import pytest

from tidegate.store.turns import NoTurn, Turns


def test_who_wants_it_again_waits_behind_all_others() -> None:
    turns, order, queued = Turns(), list[str](), threading.Semaphore(0)

    def _have(name: str) -> None:
        queued.release()
        with turns.mine(10):
            order.append(name)

    threads = [threading.Thread(target=_have, args=(name,)) for name in "abc"]
    with turns.mine(1):
        for count, thread in enumerate(threads, start=1):
            thread.start()
            queued.acquire()
            while len(turns._waiting) < count:
                pass
    with turns.mine(10):
        order.append("again")
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b", "c", "again"]


def test_who_waits_too_long_gives_up_and_keeps_nobody_waiting() -> None:
    turns = Turns()
    with turns.mine(1):
        with pytest.raises(NoTurn), turns.mine(0.01):
            pass
        assert not turns._waiting
    with turns.mine(0.01):
        pass


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.mine(1):
        raise ZeroDivisionError
    with turns.mine(0.01):
        pass


def test_one_at_a_time() -> None:
    turns, inside, most = Turns(), [0], [0]

    def _work() -> None:
        for _ in range(200):
            with turns.mine(30):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=_work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], inside[0], turns._taken) == (1, 0, False)
