"""What signing in relies on the store for, on every database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidegate.model.people import Role
from tidegate.model.provider_person import ProviderAccount
from tidegate.model.sign_in import (
    IDLE_LIMIT,
    SESSION_LIMIT,
    BrowserSession,
    LinkPurpose,
    OneTimeLink,
    Password,
    SignInWay,
)
from tidegate.store import rows, sign_in_queries
from tidegate.store.database import Database

from .values import NOW


def session(name: str, account: str | None = "ada", seen: timedelta = timedelta(0)) -> BrowserSession:
    end = NOW + SESSION_LIMIT
    return BrowserSession(
        name, f"hash of {name}", "ada", account, Role.VIEWER, None, SignInWay.TOKEN, "::1", NOW, NOW + seen, end
    )


def link(name: str, account: str | None = "ada", days: int = 1) -> OneTimeLink:
    purpose = LinkPurpose.PASSWORD if account else LinkPurpose.FIRST_ADMIN
    return OneTimeLink(f"hash of {name}", purpose, account, "owner", NOW, NOW + timedelta(days=days))


@pytest.mark.parametrize(
    "value",
    [
        Password("ada", "$argon2id$", NOW),
        link("one", None),
        session("s", None),
        ProviderAccount("https://id", "1", "ada", "me", NOW),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_put_comes_back_equal(database: Database, value: object) -> None:
    with database.writing() as connection:
        rows.put(connection, value)
        rows.put(connection, value)
        assert rows.every(connection, type(value)) == (value,)


def test_sessions_are_ended_of_one_account_and_nobody_is_an_account_of_its_own(database: Database) -> None:
    with database.writing() as connection:
        for one in (session("a"), session("b"), session("c", "bob"), session("d", None)):
            rows.put(connection, one)
        assert sign_in_queries.end_sessions(connection, "ada") == 2
        assert sign_in_queries.end_sessions(connection, None) == 1
        assert rows.every(connection, BrowserSession) == (session("c", "bob"),)


def test_what_is_over_is_forgotten(database: Database) -> None:
    with database.writing() as connection:
        for one in (session("idle"), session("used", seen=timedelta(hours=1)), link("old"), link("fresh", days=2)):
            rows.put(connection, one)
        sign_in_queries.forget_old(connection, NOW + IDLE_LIMIT)
        assert [one.id for one in rows.every(connection, BrowserSession)] == ["used"]
        sign_in_queries.forget_old(connection, NOW + timedelta(days=1))
        assert rows.every(connection, OneTimeLink) == (link("fresh", days=2),)


def test_a_link_is_taken_once_and_new_ones_void_those_for_the_same(database: Database) -> None:
    with database.writing() as connection:
        for one in (link("first", None), link("adas"), link("bobs", "bob")):
            rows.put(connection, one)
        assert sign_in_queries.take_link(connection, link("adas"))
        assert not sign_in_queries.take_link(connection, link("adas"))
        sign_in_queries.drop_links(connection, LinkPurpose.FIRST_ADMIN, None)
        assert rows.every(connection, OneTimeLink) == (link("bobs", "bob"),)
        assert not sign_in_queries.has_passwords(connection)
        rows.put(connection, Password("ada", "$argon2id$", NOW))
        assert sign_in_queries.has_passwords(connection)
