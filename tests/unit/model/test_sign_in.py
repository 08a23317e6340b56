"""When a session is over, and who counts as an administrator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.people import Account, AccountKind, HolderKind, Role, RoleGrant, Team
from tidegate.model.sign_in import IDLE_LIMIT, SESSION_LIMIT, BrowserSession, SignInWay, administrators

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("age", "unseen", "is_open"),
    [
        (timedelta(0), timedelta(0), True),
        (timedelta(days=6), IDLE_LIMIT - MOMENT, True),
        (timedelta(days=6), IDLE_LIMIT, False),
        (SESSION_LIMIT - MOMENT, timedelta(0), True),
        (SESSION_LIMIT, timedelta(0), False),
    ],
)
def test_a_session_is_over_after_a_week_or_unused_for_half_a_day(
    age: timedelta, unseen: timedelta, is_open: bool
) -> None:
    made = NOW - age
    session = BrowserSession(
        "s", "hash", "ada", "ada", None, None, SignInWay.PASSWORD, "", made, NOW - unseen, made + SESSION_LIMIT
    )
    assert session.is_open(NOW) is is_open


@pytest.mark.parametrize(
    ("kind", "holder", "role", "service", "disabled", "counts"),
    [
        (HolderKind.ACCOUNT, "ada", Role.ADMIN, None, None, True),
        (HolderKind.TEAM, "leads", Role.ADMIN, None, None, True),
        (HolderKind.ACCOUNT, "ada", Role.ADMIN, None, "left", True),
        (HolderKind.ACCOUNT, "ada", Role.OPERATOR, None, None, False),
        (HolderKind.ACCOUNT, "ada", Role.ADMIN, "shop", None, False),
        (HolderKind.ACCOUNT, "bob", Role.ADMIN, None, None, False),
        (HolderKind.TEAM, "others", Role.ADMIN, None, None, False),
    ],
)
def test_an_administrator_is_who_administers_everything(
    kind: HolderKind, holder: str, role: Role, service: str | None, disabled: str | None, counts: bool
) -> None:
    ada = Account("ada", AccountKind.PERSON, NOW, disabled_because=disabled)
    teams = [Team("leads", NOW, ("ada",)), Team("others", NOW)]
    grant = RoleGrant("g", kind, holder, role, service, None, "owner", NOW)
    assert administrators([ada], teams, [grant]) == ((ada,) if counts else ())
