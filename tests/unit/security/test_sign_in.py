"""Signing in by a browser: codes are good once and for ten minutes, and nobody's opens another's."""

from __future__ import annotations

import hmac
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.people import Role
from tidegate.model.sign_in import SignInWay
from tidegate.security.permission import Identity, everywhere
from tidegate.security.sign_in import CODE_VALID, KEPT_AT_MOST, Session, SignIn

OWNER = everywhere(Actor(ActorKind.PERSON, "owner"), Role.ADMIN)
ADA = everywhere(Actor(ActorKind.PERSON, "ada"), Role.ADMIN)
MOMENT = timedelta(microseconds=1)


class Book:
    """Sessions by their cookies, for ever."""

    def __init__(self) -> None:
        self.open_for: dict[str, Session] = {}

    def open(self, identity: Identity, way: SignInWay, address: str) -> str | None:
        cookie = f"{way.value} from {address}: {len(self.open_for)}"
        self.open_for[cookie] = Session(identity, f"csrf of {cookie}")
        return cookie

    def find(self, cookie: str) -> Session | None:
        return self.open_for.get(cookie)

    def end(self, cookie: str) -> None:
        self.open_for.pop(cookie, None)


class Door:
    """A sign-in with a clock of its own."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)
        self.sign_in = SignIn(OWNER, lambda: self.time, Book())

    def opened(self, identity: Identity | None = None) -> str:
        """The cookie of a session that was opened just now."""
        cookie = self.sign_in.redeem(self.sign_in.new_code(identity))
        assert cookie is not None
        return cookie


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_code_opens_a_session_of_who_it_was_made_for(door: Door) -> None:
    for identity, who in ((None, OWNER), (ADA, ADA)):
        session = door.sign_in.session(door.opened(identity))
        assert session is not None
        assert session.identity == who


def test_a_code_is_good_once(door: Door) -> None:
    code = door.sign_in.new_code()
    assert door.sign_in.redeem(code) is not None
    assert door.sign_in.redeem(code) is None


def test_of_many_who_bring_the_same_code_at_once_one_is_let_in(door: Door) -> None:
    code, together = door.sign_in.new_code(), Barrier(8, timeout=20)

    def _redeem(_: int) -> str | None:
        together.wait()
        return door.sign_in.redeem(code)

    with ThreadPoolExecutor(8) as pool:
        cookies = [cookie for cookie in pool.map(_redeem, range(8)) if cookie]
    assert len(cookies) == 1


@pytest.mark.parametrize(
    ("after", "opens"), [(CODE_VALID - MOMENT, True), (CODE_VALID, False), (2 * CODE_VALID, False)]
)
def test_a_code_is_good_for_ten_minutes(door: Door, after: timedelta, opens: bool) -> None:
    code = door.sign_in.new_code()
    door.time += after
    assert (door.sign_in.redeem(code) is not None) is opens


def test_signing_out_ends_that_session_and_no_other(door: Door) -> None:
    first, second = door.opened(), door.opened()
    door.sign_in.end(first)
    door.sign_in.end("nobody's")
    door.sign_in.end(None)
    assert door.sign_in.session(first) is None
    assert door.sign_in.session(second) is not None


def test_a_code_is_no_cookie_and_a_cookie_no_code(door: Door) -> None:
    assert door.sign_in.session(door.sign_in.new_code()) is None
    assert door.sign_in.redeem(door.opened()) is None


@pytest.mark.parametrize("nothing", ["", " ", "nobody's", "é" * 40, "\0"])
def test_what_was_never_given_opens_nothing(door: Door, nothing: str) -> None:
    door.opened()
    assert door.sign_in.redeem(nothing) is None
    assert door.sign_in.session(nothing) is None
    assert door.sign_in.session(None) is None


def test_a_form_is_accepted_only_with_the_token_of_its_own_session(door: Door) -> None:
    mine, other = (door.sign_in.session(door.opened()) for _ in range(2))
    assert mine is not None
    assert other is not None
    assert mine.accepts(mine.csrf)
    for wrong in (other.csrf, mine.csrf[:-1], mine.csrf + "=", "", None):
        assert not mine.accepts(wrong)


def test_the_token_of_a_form_is_compared_in_constant_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    session = door.sign_in.session(door.opened())
    assert session is not None
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: True)
    assert session.accepts("whatever: compare_digest decides")


def test_so_many_codes_are_kept_and_the_oldest_give_way(door: Door) -> None:
    first, second, *rest = [door.sign_in.new_code() for _ in range(KEPT_AT_MOST + 1)]
    assert door.sign_in.redeem(first) is None
    assert door.sign_in.redeem(second) is not None
    assert door.sign_in.redeem(rest[-1]) is not None


def test_what_is_over_gives_way_before_what_is_not(door: Door) -> None:
    for _ in range(KEPT_AT_MOST):
        door.sign_in.new_code()
    door.time += CODE_VALID
    codes = [door.sign_in.new_code() for _ in range(KEPT_AT_MOST)]
    assert all(door.sign_in.redeem(code) for code in codes)


def test_codes_cannot_be_guessed_and_are_never_the_same(door: Door) -> None:
    codes = {door.sign_in.new_code() for _ in range(50)}
    assert len(codes) == 50
    assert min(len(code) for code in codes) >= 43  # 32 random bytes
