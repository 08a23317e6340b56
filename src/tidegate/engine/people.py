"""What is done about people: accounts, teams, roles and tokens; and whose token somebody sent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.people import NAME, AccessToken, Account, AccountKind, Held, HolderKind, Role, RoleGrant, Team
from tidegate.model.sign_in import LinkPurpose
from tidegate.security.permission import Identity, account_identity
from tidegate.security.tokens import new_token, token_hash
from tidegate.store import events, people_queries, queries, rows, sign_in_queries

LIST = "tidegate user list"
LIST_TEAMS = "tidegate team list"
LONGEST_TOKEN = timedelta(days=366)
USED_EVERY = timedelta(minutes=1)
"""How exactly the last use of a token is known."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, and its text, which is shown this once."""

    token: AccessToken
    text: str


class PeopleActs:
    """Each act is one transaction that changes rows and records who did it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def add(self, name: str, kind: AccountKind, full_name: str, actor: Actor) -> Account:
        """Make an account, which may read and nothing more. Raises Refused where the name is taken or impossible."""
        check_name(name)
        made = Account(name, kind, self._parts.clock.now(), full_name.strip())
        with self._parts.database.writing() as connection:
            if people_queries.account(connection, name):
                raise Refused(Refusal.CONFLICT, f"there is an account called {name} already", LIST)
            rows.put(connection, made)
            what = "the service account" if kind is AccountKind.SERVICE else "the account"
            self._say(connection, EventKind.ACCOUNT_ADDED, f"{actor.name} adds {what} {name}", actor, account=name)
        return made

    def disable(self, name: str, reason: str, actor: Actor) -> Account:
        """Let an account do nothing any more, at once: its browsers are signed out, its tokens open nothing."""
        with self._parts.database.writing() as connection:
            changed = replace(self._account(connection, name), disabled_because=reason.strip() or "no reason given")
            rows.put(connection, changed)
            sign_in_queries.end_sessions(connection, name)
            sign_in_queries.drop_links(connection, LinkPurpose.PASSWORD, name)
            text = f"{actor.name} disables the account {name}: {changed.disabled_because}"
            self._say(connection, EventKind.ACCOUNT_DISABLED, text, actor, account=name)
        self._engine.hint_gates()
        return changed

    def enable(self, name: str, actor: Actor) -> Account:
        """Let a disabled account do again what its roles allow."""
        with self._parts.database.writing() as connection:
            changed = replace(self._account(connection, name), disabled_because=None)
            rows.put(connection, changed)
            text = f"{actor.name} enables the account {name} again"
            self._say(connection, EventKind.ACCOUNT_ENABLED, text, actor, account=name)
        self._engine.hint_gates()
        return changed

    def set_team(self, name: str, members: Collection[str], actor: Actor) -> Team:
        """Let exactly these accounts be in a team, which is made where there is none of that name."""
        check_name(name)
        with self._parts.database.writing() as connection:
            for one in members:
                self._account(connection, one)
            known = people_queries.team(connection, name) or Team(name, self._parts.clock.now())
            changed = replace(known, members=tuple(sorted(set(members))))
            rows.put(connection, changed)
            text = f"{actor.name} lets the team {name} be {', '.join(changed.members) or 'empty'}"
            self._say(connection, EventKind.TEAM_CHANGED, text, actor, team=name)
        self._engine.hint_gates()
        return changed

    def remove_team(self, name: str, actor: Actor) -> Team:
        """Forget a team and what it was granted."""
        with self._parts.database.writing() as connection:
            known = self._team(connection, name)
            for one in people_queries.directory(connection).grants:
                if (one.holder_kind, one.holder) == (HolderKind.TEAM, name):
                    rows.drop(connection, one)
            rows.drop(connection, known)
            text = f"{actor.name} removes the team {name}"
            self._say(connection, EventKind.TEAM_REMOVED, text, actor, team=name)
        self._engine.hint_gates()
        return known

    def grant(self, holder_kind: HolderKind, holder: str, held: Held, actor: Actor) -> RoleGrant:
        """Give a role to an account or a team; the same again changes nothing."""
        with self._parts.database.writing() as connection:
            self._check_holder(connection, holder_kind, holder)
            self._check_place(connection, held)
            for one in people_queries.directory(connection).grants:
                if (one.holder_kind, one.holder, one.held) == (holder_kind, holder, held):
                    return one
            now = self._parts.clock.now()
            made = RoleGrant(
                self._parts.new_id(), holder_kind, holder, held.role, held.service, held.environment, actor.name, now
            )
            rows.put(connection, made)
            text = f"{actor.name} gives {holder_kind.value} {holder} the role {held}"
            self._say(connection, EventKind.ROLE_GRANTED, text, actor, **_about(made))
        return made

    def revoke(self, grant_id: str, actor: Actor) -> RoleGrant:
        """Take a role away again."""
        with self._parts.database.writing() as connection:
            known = people_queries.grant(connection, grant_id)
            if known is None:
                raise not_found("grant", grant_id, "tidegate user show NAME")
            rows.drop(connection, known)
            text = f"{actor.name} takes the role {known.held} from {known.holder_kind.value} {known.holder}"
            self._say(connection, EventKind.ROLE_REVOKED, text, actor, **_about(known))
        return known

    def make_token(self, account: str, name: str, valid: timedelta, role: Role | None, actor: Actor) -> NewToken:
        """Make a token of an account, valid for a year at most."""
        if not timedelta(0) < valid <= LONGEST_TOKEN:
            raise Refused(Refusal.INVALID, f"a token is valid for up to {LONGEST_TOKEN.days} days", "say --valid 90d")
        text, now = new_token(), self._parts.clock.now()
        with self._parts.database.writing() as connection:
            known = self._account(connection, account)
            if known.disabled_because is not None:
                raise Refused(Refusal.REFUSED, f"{account} is disabled: {known.disabled_because}", LIST)
            made = AccessToken(
                id=self._parts.new_id(),
                account=account,
                name=name,
                token_hash=token_hash(text),
                made_at=now,
                made_by=actor.name,
                expires_at=now + valid,
                role=role,
            )
            rows.put(connection, made)
            least = f", for no more than {role.value}" if role else ""
            said = f"{actor.name} makes a token of {account}: {name}, until {made.expires_at:%Y-%m-%d}{least}"
            self._say(connection, EventKind.TOKEN_MADE, said, actor, account=account, token=made.id)
        return NewToken(made, text)

    def revoke_token(self, token_id: str, actor: Actor) -> AccessToken:
        """Let a token open nothing any more."""
        with self._parts.database.writing() as connection:
            known = people_queries.token(connection, token_id)
            if known is None:
                raise not_found("token", token_id, "tidegate token list")
            revoked = replace(known, revoked_at=known.revoked_at or self._parts.clock.now())
            rows.put(connection, revoked)
            text = f"{actor.name} revokes the token {known.name} of {known.account}"
            self._say(connection, EventKind.TOKEN_REVOKED, text, actor, account=known.account, token=known.id)
        return revoked

    def identity_of(self, text: str) -> Identity | None:
        """Whose token this is, with what it may do; None for one that is unknown, revoked or expired."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            token = people_queries.token_with(connection, token_hash(text))
            if token is None or not token.opens(now):
                return None
            identity = identity_in(connection, token.account, token.role, token.id)
        if identity and (token.used_at is None or now - token.used_at >= USED_EVERY):
            with self._parts.database.writing() as connection:
                people_queries.note_used(connection, token.id, now)
        return identity

    def identity_for(self, account: str) -> Identity | None:
        """Who has proven to be that account, with what it may do; None where it is unknown or disabled."""
        with self._parts.database.reading() as connection:
            return identity_in(connection, account)

    def _account(self, connection: Connection, name: str) -> Account:
        known = people_queries.account(connection, name)
        if known is None:
            raise not_found("account", name, LIST)
        return known

    def _team(self, connection: Connection, name: str) -> Team:
        known = people_queries.team(connection, name)
        if known is None:
            raise not_found("team", name, LIST_TEAMS)
        return known

    def _check_holder(self, connection: Connection, kind: HolderKind, name: str) -> None:
        if kind is HolderKind.TEAM:
            self._team(connection, name)
        else:
            self._account(connection, name)

    def _check_place(self, connection: Connection, held: Held) -> None:
        if held.service is not None and queries.service(connection, held.service) is None:
            raise not_found("service", held.service, "tidegate service list")
        if held.environment is not None and held.environment not in self._parts.environments:
            raise not_found("environment", held.environment, "tidegate environment list")

    def _say(self, connection: Connection, kind: EventKind, text: str, actor: Actor, **about: str) -> None:
        events.append(connection, [Event(kind, text, about, actor)], self._parts.clock.now())


def identity_in(
    connection: Connection, account: str, cap: Role | None = None, token: str | None = None
) -> Identity | None:
    """An account with what it may do now; None where it may not even sign in."""
    known = people_queries.account(connection, account)
    if known is None or known.disabled_because is not None:
        return None
    return account_identity(account, people_queries.roles_of(connection, known, cap), cap, token)


def _about(grant: RoleGrant) -> dict[str, str]:
    about = {grant.holder_kind.value: grant.holder, "service": grant.service, "environment": grant.environment}
    return {name: value for name, value in about.items() if value is not None}


def check_name(name: str) -> None:
    """Raise Refused where that cannot be the name of an account or a team."""
    if not NAME.fullmatch(name):
        raise Refused(
            Refusal.INVALID, f"{name!r} cannot be a name", 'use small letters, digits and "._-", at most 63 of them'
        )
