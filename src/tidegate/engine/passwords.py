"""What is done about passwords: set, changed, and compared."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.password import why_unfit
from tidegate.model.people import Account, AccountKind
from tidegate.model.sign_in import LinkPurpose, Password
from tidegate.security.password_hash import PasswordHashes
from tidegate.store import events, people_queries, rows, sign_in_queries

LINK = "an administrator makes a one-time link: tidegate user link"


class Passwords:
    """Hashes are computed outside of transactions: they take long."""

    def __init__(self, engine: Engine, hashes: PasswordHashes) -> None:
        self._parts = engine.parts
        self._hashes = hashes

    def fits(self, name: str, password: str) -> bool:
        """Whether that is the password of an account that may sign in with one.

        Takes the same time for a wrong password and for a name that is unknown, disabled, of a service, or without a
        password. Raises security.password_hash.TooManyAtOnce.
        """
        with self._parts.database.reading() as connection:
            account = people_queries.account(connection, name)
            known = sign_in_queries.password_of(connection, name)
        usable = account is not None and account.disabled_because is None and account.kind is AccountKind.PERSON
        fits = self._hashes.fits(known.hash if known and usable else None, password)
        if fits and known and self._hashes.is_outdated(known.hash):
            self._renew(known, password)
        return fits

    def set(self, name: str, password: str, actor: Actor) -> Account:
        """Let that be the account's password from now on; its browsers are signed out. Raises Refused."""
        made = self.hash_for(name, password)
        with self._parts.database.writing() as connection:
            return self.keep(connection, name, made, actor)

    def change(self, name: str, old: str, new: str, actor: Actor) -> Account:
        """One's own: the old one has to be known. Raises Refused."""
        with self._parts.database.reading() as connection:
            known = sign_in_queries.password_of(connection, name)
        if known is None:
            raise Refused(Refusal.REFUSED, f"{name} has no password yet", f"{LINK} {name}")
        if not self.fits(name, old):
            raise Refused(Refusal.REFUSED, "this is not the old password", f"where it is lost, {LINK} {name}")
        return self.set(name, new, actor)

    def has(self, name: str) -> bool:
        """Whether the account has a password."""
        with self._parts.database.reading() as connection:
            return sign_in_queries.password_of(connection, name) is not None

    def are_used(self) -> bool:
        """Whether anybody has one."""
        with self._parts.database.reading() as connection:
            return sign_in_queries.has_passwords(connection)

    def hash_for(self, name: str, password: str) -> str:
        """The hash of what is to be the account's password. Raises Refused where it cannot be one."""
        unfit = why_unfit(password, name)
        if unfit:
            raise Refused(Refusal.INVALID, unfit, "choose another one; several words in a row are easy to remember")
        return self._hashes.of(password)

    def keep(self, connection: Connection, name: str, hashed: str, actor: Actor) -> Account:
        """In a transaction: this is the password from now on; what signed in before is signed out, links are void."""
        account = people_queries.account(connection, name)
        if account is None:
            raise not_found("account", name, "tidegate user list")
        check_may_have(account)
        now = self._parts.clock.now()
        rows.put(connection, Password(name, hashed, now))
        sign_in_queries.end_sessions(connection, name)
        sign_in_queries.drop_links(connection, LinkPurpose.PASSWORD, name)
        text = f"{actor.name} sets the password of {name}"
        events.append(connection, [Event(EventKind.PASSWORD_SET, text, {"account": name}, actor)], now)
        return account

    def _renew(self, known: Password, password: str) -> None:
        """The same password, hashed with this version's parameters."""
        fresh = replace(known, hash=self._hashes.of(password))
        with self._parts.database.writing() as connection:
            if sign_in_queries.password_of(connection, known.account) == known:
                rows.put(connection, fresh)


def check_may_have(account: Account) -> None:
    """Raise Refused where an account cannot have a password."""
    if account.kind is AccountKind.SERVICE:
        make = f"make a token: tidegate token create NAME --account {account.name}"
        raise Refused(Refusal.CONFLICT, f"{account.name} is a service account, which does not sign in", make)
    if account.disabled_because is not None:
        enable = f"tidegate user enable {account.name}"
        raise Refused(Refusal.CONFLICT, f"{account.name} is disabled: {account.disabled_because}", enable)
