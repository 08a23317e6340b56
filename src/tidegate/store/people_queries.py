"""What is asked about people, their teams, roles and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, update

from tidegate.model.people import AccessToken, Account, Held, Role, RoleGrant, Team, roles_held
from tidegate.store import people_tables, rows


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody, read at one moment."""

    accounts: tuple[Account, ...]
    teams: tuple[Team, ...]
    grants: tuple[RoleGrant, ...]

    def held_by(self, account: Account) -> tuple[Held, ...]:
        """The roles that an account holds, by itself and through its teams."""
        return roles_held(account, self.teams, self.grants)

    def teams_of(self, account: str) -> tuple[str, ...]:
        """The names of the teams that it is in."""
        return tuple(one.name for one in self.teams if account in one.members)


def directory(connection: Connection) -> Directory:
    """All accounts, teams and grants."""
    return Directory(
        accounts=rows.every_equal(connection, Account),
        teams=rows.every_equal(connection, Team),
        grants=rows.every_equal(connection, RoleGrant),
    )


def account(connection: Connection, name: str) -> Account | None:
    """The account of that name."""
    return rows.find(connection, Account, name=name)


def team(connection: Connection, name: str) -> Team | None:
    """The team of that name."""
    return rows.find(connection, Team, name=name)


def grant(connection: Connection, grant_id: str) -> RoleGrant | None:
    """The grant of that id."""
    return rows.find(connection, RoleGrant, id=grant_id)


def token(connection: Connection, token_id: str) -> AccessToken | None:
    """The token of that id."""
    return rows.find(connection, AccessToken, id=token_id)


def token_with(connection: Connection, token_hash: str) -> AccessToken | None:
    """The token that has this hash."""
    return rows.find(connection, AccessToken, token_hash=token_hash)


def tokens(connection: Connection, of_account: str | None = None) -> tuple[AccessToken, ...]:
    """The tokens of an account, or of all, oldest first."""
    if of_account is None:
        return rows.every_equal(connection, AccessToken)
    return rows.every_equal(connection, AccessToken, account=of_account)


def roles_of(connection: Connection, of: Account, cap: Role | None = None) -> tuple[Held, ...]:
    """The roles that an account holds, none of them above `cap`."""
    found = directory(connection)
    return roles_held(of, found.teams, found.grants, cap)


def note_used(connection: Connection, token_id: str, now: datetime) -> None:
    """A token was used just now."""
    connection.execute(
        update(people_tables.access_token).where(people_tables.access_token.c.id == token_id).values(used_at=now)
    )
