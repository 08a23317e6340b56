"""One-time links: to make the first administrator's account, and to choose a password."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.passwords import Passwords, check_may_have
from tidegate.engine.people import check_name
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.model.people import Account, AccountKind, HolderKind, Role, RoleGrant
from tidegate.model.sign_in import LINK_VALID, LinkPurpose, OneTimeLink, administrators
from tidegate.security.tokens import new_token, token_hash
from tidegate.store import events, people_queries, rows, sign_in_queries

_VOID = "this link was used before, or is too old"


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that was just made, and its code, which is shown this once."""

    link: OneTimeLink
    code: str


class OneTimeLinks:
    """Each is good once, for a day, and void as soon as another one is made for the same."""

    def __init__(self, engine: Engine, passwords: Passwords) -> None:
        self._parts = engine.parts
        self._passwords = passwords

    def for_first_admin(self, actor: Actor) -> NewLink:
        """A link that makes the first administrator's account. Raises Refused where there is one."""
        with self._parts.database.writing() as connection:
            self._check_no_admin(connection)
            text = f"{actor.name} makes a link to make the first administrator's account"
            return self._make(connection, LinkPurpose.FIRST_ADMIN, None, text, actor)

    def for_password(self, name: str, actor: Actor) -> NewLink:
        """A link with which the account's owner chooses a password. Raises Refused."""
        with self._parts.database.writing() as connection:
            account = people_queries.account(connection, name)
            if account is None:
                raise not_found("account", name, "tidegate user list")
            check_may_have(account)
            text = f"{actor.name} makes a link to choose the password of {name}"
            return self._make(connection, LinkPurpose.PASSWORD, name, text, actor)

    def nobody_is_here(self) -> bool:
        """Whether there is no account at all."""
        with self._parts.database.reading() as connection:
            return not people_queries.directory(connection).accounts

    def find(self, code: str) -> OneTimeLink | None:
        """What a code is for; None where it was used, is too old, or never was."""
        with self._parts.database.reading() as connection:
            return self._open(connection, code)

    def make_first_admin(self, code: str, name: str, full_name: str, password: str) -> Account:
        """Make the account of the first administrator, with a password. Raises Refused; then the link is still good."""
        check_name(name)
        hashed = self._passwords.hash_for(name, password)
        with self._parts.database.writing() as connection:
            self._take(connection, code, LinkPurpose.FIRST_ADMIN)
            self._check_no_admin(connection)
            if people_queries.account(connection, name):
                raise Refused(Refusal.CONFLICT, f"there is an account called {name} already", "choose another name")
            now, actor = self._parts.clock.now(), Actor(ActorKind.PERSON, name)
            made = Account(name, AccountKind.PERSON, now, full_name.strip())
            rows.put(connection, made)
            about = {"account": name}
            text = f"{name} makes the first administrator's account, by a one-time link"
            said = [Event(EventKind.ACCOUNT_ADDED, text, about, actor)]
            grant = RoleGrant(
                self._parts.new_id(), HolderKind.ACCOUNT, name, Role.ADMIN, None, None, "one-time link", now
            )
            rows.put(connection, grant)
            said.append(Event(EventKind.ROLE_GRANTED, f"the link gives account {name} the role admin", about, actor))
            events.append(connection, said, now)
            self._passwords.keep(connection, name, hashed, actor)
        return made

    def choose_password(self, code: str, password: str) -> Account:
        """Set the password of the account that the link is for. Raises Refused; then the link is still good."""
        link = self.find(code)
        if link is None or link.account is None:
            raise void_link()
        hashed = self._passwords.hash_for(link.account, password)
        with self._parts.database.writing() as connection:
            taken = self._take(connection, code, LinkPurpose.PASSWORD)
            assert taken.account is not None  # it is for a password
            return self._passwords.keep(connection, taken.account, hashed, Actor(ActorKind.PERSON, taken.account))

    def _make(
        self, connection: Connection, purpose: LinkPurpose, account: str | None, text: str, actor: Actor
    ) -> NewLink:
        code, now = new_token(), self._parts.clock.now()
        sign_in_queries.forget_old(connection, now)
        sign_in_queries.drop_links(connection, purpose, account)
        made = OneTimeLink(token_hash(code), purpose, account, actor.name, now, now + LINK_VALID)
        rows.put(connection, made)
        about = {"account": account} if account else {}
        events.append(connection, [Event(EventKind.LINK_MADE, text, about, actor)], now)
        return NewLink(made, code)

    def _open(self, connection: Connection, code: str) -> OneTimeLink | None:
        known = sign_in_queries.link_with(connection, token_hash(code))
        return known if known and self._parts.clock.now() < known.expires_at else None

    def _take(self, connection: Connection, code: str, purpose: LinkPurpose) -> OneTimeLink:
        """Use the link up: of many who bring it at once, one does, where the others find it gone."""
        known = self._open(connection, code)
        if known is None or known.purpose is not purpose or not sign_in_queries.take_link(connection, known):
            raise void_link()
        return known

    def _check_no_admin(self, connection: Connection) -> None:
        found = people_queries.directory(connection)
        known = administrators(found.accounts, found.teams, found.grants)
        if known:
            raise Refused(
                Refusal.CONFLICT,
                f"there is an administrator already: {known[0].name}",
                f"for a lost password: tidegate user link {known[0].name}",
            )


def void_link() -> Refused:
    """What a code gets that opens nothing."""
    return Refused(
        Refusal.REFUSED, _VOID, "an administrator makes another one: tidegate user link NAME, or tidegate admin-link"
    )
