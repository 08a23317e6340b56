"""Guessing is made slow, with a table that cannot be filled, and without shutting the owner out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tidegate.security.attempts import Attempts, Patience, SignInLimits, TooManyAttempts, network

SECOND = timedelta(seconds=1)
PATIENCE = Patience(free=3, first_wait=SECOND, longest_wait=60 * SECOND)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (100, 60), (10**6, 60)]
)
def test_each_failure_beyond_the_free_ones_doubles_the_wait_up_to_a_limit(failures: int, wait: int) -> None:
    assert PATIENCE.wait_after(failures) == wait * SECOND


def test_who_waits_may_try_again_and_who_does_not_waits_no_longer(clock: Clock) -> None:
    attempts = Attempts(clock.now, PATIENCE)
    for _ in range(3):
        attempts.begin("ada")
    for _ in range(50):  # hammering changes nothing
        with pytest.raises(TooManyAttempts, match="possible in 1 s"):
            attempts.begin("ada")
    clock.time += SECOND
    attempts.begin("ada")
    assert attempts.wait("ada") == 2 * SECOND
    assert attempts.wait("bob") == timedelta(0)


def test_a_success_forgets_the_failures_or_only_itself(clock: Clock) -> None:
    attempts = Attempts(clock.now, PATIENCE)
    for key in ("forgets", "keeps"):
        for _ in range(3):
            attempts.begin(key)
        attempts.succeeded(key, forget=key == "forgets")
        attempts.begin(key)
    assert attempts.wait("forgets") == timedelta(0)
    assert attempts.wait("keeps") == SECOND


def test_failures_are_forgotten_after_a_while_and_a_clock_set_back_locks_nobody_out(clock: Clock) -> None:
    attempts = Attempts(clock.now, PATIENCE)
    for _ in range(3):
        attempts.begin("ada")
    clock.time -= timedelta(days=1)
    assert attempts.wait("ada") <= SECOND
    clock.time += timedelta(days=1) + PATIENCE.forgotten_after
    attempts.begin("ada")
    assert attempts.wait("ada") == timedelta(0)


def test_many_at_once_are_no_way_around_the_count(clock: Clock) -> None:
    attempts, together = Attempts(clock.now, PATIENCE), Barrier(16, timeout=20)

    def _try(_: int) -> bool:
        together.wait()
        try:
            attempts.begin("ada")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(_try, range(16))) == PATIENCE.free


@given(some.lists(some.integers(0, 200), max_size=400))
def test_the_table_never_grows_beyond_its_limit(keys: list[int]) -> None:
    attempts = Attempts(Clock().now, Patience(free=10**9), kept_at_most=20)
    for key in keys:
        attempts.begin(str(key))
    assert len(attempts._failures) <= 20


def test_who_fails_at_somebodys_account_does_not_hold_up_the_owner_at_home(clock: Clock) -> None:
    limits = SignInLimits(clock.now, of_account=PATIENCE, of_address=Patience(free=100))
    limits.begin("192.0.2.1", "ada")
    limits.succeeded("192.0.2.1", "ada")
    for _ in range(3):
        limits.begin("203.0.113.9", "ada")
    for address in ("203.0.113.9", "203.0.113.10"):
        with pytest.raises(TooManyAttempts):
            limits.begin(address, "ada")
    limits.begin("192.0.2.1", "ada")


def test_an_address_is_held_up_over_all_accounts_and_a_success_is_no_fresh_start(clock: Clock) -> None:
    limits = SignInLimits(clock.now, of_account=PATIENCE, of_address=PATIENCE)
    limits.begin("192.0.2.1", "ada")
    limits.begin("192.0.2.1", "bob")
    limits.begin("192.0.2.1", "me")
    limits.succeeded("192.0.2.1", "me")
    limits.begin("192.0.2.1", "eve")
    with pytest.raises(TooManyAttempts):
        limits.begin("192.0.2.1", "zoe")
    limits.begin("192.0.2.2", "zoe")


def test_unknown_tokens_hold_up_their_address_but_no_token_that_was_good_lately(clock: Clock) -> None:
    limits = SignInLimits(clock.now, of_token=PATIENCE)
    limits.begin_token("192.0.2.1", "good")
    limits.good_token("192.0.2.1", "good")
    for number in range(3):
        limits.begin_token("192.0.2.1", f"bad {number}")
    with pytest.raises(TooManyAttempts):
        limits.begin_token("192.0.2.1", "another")
    limits.begin_token("192.0.2.1", "good")
    limits.bad_token("good")  # revoked meanwhile
    with pytest.raises(TooManyAttempts):
        limits.begin_token("192.0.2.1", "good")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "not an address", True),
    ],
)
def test_a_whole_network_of_ipv6_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same
