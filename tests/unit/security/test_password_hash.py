"""Hashes of passwords: argon2id with the parameters of RFC 9106, few at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import CHEAPEST

from tidegate.security.password_hash import AT_ONCE, WAITING_AT_MOST, PasswordHashes, TooManyAtOnce

PASSWORD = "correct horse battery"


def test_the_parameters_are_the_second_choice_of_rfc_9106() -> None:
    assert PasswordHashes().of(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_hash_fits_its_password_only_and_is_another_one_each_time() -> None:
    hashes = PasswordHashes(CHEAPEST)
    known = hashes.of(PASSWORD)
    assert hashes.fits(known, PASSWORD)
    assert not hashes.fits(known, PASSWORD + " ")
    assert hashes.of(PASSWORD) != known
    assert hashes.fits(hashes.of("pa\u0301ssword to keep"), "p\u00e1ssword to keep")


@pytest.mark.parametrize("known", ["", "no hash", "$argon2id$v=19$m=8,t=1,p=1$cut"])
def test_what_is_no_hash_fits_nothing(known: str) -> None:
    assert not PasswordHashes(CHEAPEST).fits(known, PASSWORD)


def test_where_there_is_no_password_one_is_computed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes, asked = PasswordHashes(CHEAPEST), list[str]()
    verify: Callable[..., bool] = PasswordHasher.verify

    def _counted(self: PasswordHasher, known: str, password: str) -> bool:
        try:
            return verify(self, known, password)
        except VerifyMismatchError:  # only after it was computed
            asked.append(known)
            raise

    monkeypatch.setattr(PasswordHasher, "verify", _counted)
    assert not hashes.fits(None, PASSWORD)
    assert not hashes.fits(None, "")
    assert len(asked) == 2 and not any(map(hashes.is_outdated, asked))


def test_a_hash_of_other_parameters_is_outdated() -> None:
    before, now = PasswordHashes(CHEAPEST), PasswordHashes(replace(CHEAPEST, time_cost=2))
    known = before.of(PASSWORD)
    assert not before.is_outdated(known)
    assert now.is_outdated(known)
    assert now.fits(known, PASSWORD)


def test_few_are_computed_at_once_some_wait_and_the_others_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes, go_on, places = PasswordHashes(CHEAPEST), Event(), AT_ONCE + WAITING_AT_MOST
    monkeypatch.setattr(PasswordHasher, "hash", lambda *_: str(go_on.wait(20)))
    with ThreadPoolExecutor(places) as pool:
        working = [pool.submit(hashes.of, PASSWORD) for _ in range(places)]
        while hashes._places.acquire(blocking=False):
            hashes._places.release()
        with pytest.raises(TooManyAtOnce):
            hashes.of(PASSWORD)
        go_on.set()
        assert [one.result(20) for one in working] == ["True"] * places
