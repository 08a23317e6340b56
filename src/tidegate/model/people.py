"""People and service accounts: who there is, in which teams, and which role each holds where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""Of an account and of a team: it stands in events and in files, so it is short and has no surprises."""


class Role(StrEnum):
    """What somebody may do, from the least to the most."""

    VIEWER = "viewer"
    """Reads everything but secrets."""

    DEVELOPER = "developer"
    """Cancels, retries and holds runs, and looks after tests."""

    APPROVER = "approver"
    """Answers gates, besides what a developer does."""

    OPERATOR = "operator"
    """Deploys, rolls back, promotes and pauses, besides what an approver does."""

    ADMIN = "admin"
    """Everything."""

    def at_most(self, cap: Role | None) -> Role:
        """This role, or `cap` where that may do less."""
        return self if cap is None else min(self, cap, key=list(Role).index)


class AccountKind(StrEnum):
    """Whether a person stands behind an account."""

    PERSON = "person"
    SERVICE = "service"


class HolderKind(StrEnum):
    """Who holds a role: one account, or everybody in a team."""

    ACCOUNT = "account"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a service account. One that was disabled does nothing any more; its name is never given again."""

    name: str
    kind: AccountKind
    added_at: datetime
    full_name: str = ""
    disabled_because: str | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """Accounts that belong together."""

    name: str
    added_at: datetime
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A role and where it counts: None stands for every service, and for every environment."""

    role: Role
    service: str | None = None
    environment: str | None = None

    def covers(self, service: str | None, environment: str | None) -> bool:
        """Whether it counts there. Where something concerns no one service (None), only a role for all of them does;
        the same holds for environments."""
        return self.service in (None, service) and self.environment in (None, environment)

    def __str__(self) -> str:
        where = [f"service {self.service}"] * bool(self.service) + [f"environment {self.environment}"] * bool(
            self.environment
        )
        return f"{self.role.value} ({', '.join(where)})" if where else self.role.value


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """That somebody holds a role, and who said so."""

    id: str
    holder_kind: HolderKind
    holder: str
    role: Role
    service: str | None
    environment: str | None
    given_by: str
    given_at: datetime

    @property
    def held(self) -> Held:
        """The role and where it counts."""
        return Held(self.role, self.service, self.environment)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token of an account. It was shown once; kept is its hash. `role` caps what the account may do with it."""

    id: str
    account: str
    name: str
    token_hash: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    role: Role | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def opens(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


def roles_given(account: str, teams: Iterable[Team], grants: Iterable[RoleGrant]) -> frozenset[Held]:
    """What an account was given, by itself and through its teams, whether or not it is disabled."""
    own = {(HolderKind.ACCOUNT, account)}
    own |= {(HolderKind.TEAM, team.name) for team in teams if account in team.members}
    return frozenset(one.held for one in grants if (one.holder_kind, one.holder) in own)


def roles_held(
    account: Account, teams: Iterable[Team], grants: Iterable[RoleGrant], cap: Role | None = None
) -> tuple[Held, ...]:
    """What an account holds, by itself and through its teams; none where it is disabled.

    `cap` is the most that counts, where a token was made for less than its account may do. Whoever has an account may
    read.
    """
    if account.disabled_because is not None:
        return ()
    held = roles_given(account.name, teams, grants) | {Held(Role.VIEWER)}
    return tuple(sorted({replace(one, role=one.role.at_most(cap)) for one in held}, key=str))
