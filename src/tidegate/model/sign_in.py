"""Signing in: passwords and one-time links as they are kept, and the sessions of browsers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.people import Account, Held, Role, RoleGrant, Team, roles_given

IDLE_LIMIT = timedelta(hours=12)
"""A session that is not used for that long is over."""

SESSION_LIMIT = timedelta(days=7)
"""A session is over after that, however much it is used."""

LINK_VALID = timedelta(hours=24)
BEGUN_VALID = timedelta(minutes=10)
"""How long a browser may be away at the provider."""


class SignInWay(StrEnum):
    """With what somebody signed in."""

    PASSWORD = "password"
    TOKEN = "token"
    CODE = "code"
    LINK = "one-time link"
    PROVIDER = "provider"


class LinkPurpose(StrEnum):
    """What a one-time link lets its holder do."""

    FIRST_ADMIN = "first_admin"
    """Make the first administrator's account."""

    PASSWORD = "password"
    """Choose a password for an account."""


@dataclass(frozen=True, slots=True)
class Password:
    """The password of an account, as an argon2id hash that says its own parameters."""

    account: str
    hash: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """A link that was shown once; kept is the hash of its code, until it is used."""

    code_hash: str
    purpose: LinkPurpose
    account: str | None
    made_by: str
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A signed-in browser. Kept is the hash of its cookie.

    `who` is the name that acts are recorded under; `account` is None for the server's owner. `role` caps what the
    account may do, and `token` is the one it was opened with: where that is over, so is the session.
    """

    id: str
    cookie_hash: str
    who: str
    account: str | None
    role: Role | None
    token: str | None
    way: SignInWay
    address: str
    made_at: datetime
    seen_at: datetime
    expires_at: datetime

    def is_open(self, now: datetime) -> bool:
        """Whether it is neither too old nor unused for too long."""
        return now < self.expires_at and now - self.seen_at < IDLE_LIMIT


def administrators(
    accounts: Iterable[Account], teams: Iterable[Team], grants: Iterable[RoleGrant]
) -> tuple[Account, ...]:
    """The accounts that are administrators of everything, those that are disabled at present included."""
    teams, grants = tuple(teams), tuple(grants)
    return tuple(one for one in accounts if Held(Role.ADMIN) in roles_given(one.name, teams, grants))
