"""Whose changes are whose, and who may answer gates in another's place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.authorship import AuthorAddress, AuthorKey
from tidegate.model.delegation import Delegation
from tidegate.model.event import Event, EventKind
from tidegate.security.ssh_key import fingerprint_of
from tidegate.store import events, people_queries, queries, rows

LONGEST_DELEGATION = timedelta(days=90)
_ADDRESS = re.compile(r"[^\s@<>]{1,100}@[^\s@<>]{1,150}")
_LIST = "tidegate user list"


class AuthorshipActs:
    """Each act is one transaction that changes rows and records who did it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def know_address(self, account: str, address: str, actor: Actor) -> AuthorAddress:
        """Vouch that an address in commits is an account's."""
        address = address.strip().casefold()
        if not _ADDRESS.fullmatch(address):
            raise Refused(Refusal.INVALID, f"{address!r} is not an e-mail address", "write it as git log shows it")
        made = AuthorAddress(address, account, actor.name, self._parts.clock.now())
        with self._parts.database.writing() as connection:
            self._check_account(connection, account)
            known = rows.find(connection, AuthorAddress, address=address)
            if known and known.account != account:
                remedy = f"tidegate user address {known.account} {address} --remove"
                raise Refused(Refusal.CONFLICT, f"{address} is {known.account}'s already", remedy)
            rows.put(connection, made)
            self._say(
                connection, EventKind.AUTHOR_KNOWN, f"{actor.name} says that {address} is {account}", actor, account
            )
        self._engine.hint_gates()
        return made

    def forget_address(self, address: str, actor: Actor) -> AuthorAddress:
        """Vouch for an address no more."""
        with self._parts.database.writing() as connection:
            known = rows.find(connection, AuthorAddress, address=address.strip().casefold())
            if known is None:
                raise not_found("address", address, _LIST)
            rows.drop(connection, known)
            text = f"{actor.name} says no more that {known.address} is {known.account}"
            self._say(connection, EventKind.AUTHOR_UNKNOWN, text, actor, known.account)
        self._engine.hint_gates()
        return known

    def know_key(self, account: str, public_key: str, actor: Actor) -> AuthorKey:
        """Vouch that an SSH key (a line as in `id_ed25519.pub`) with which commits are signed is an account's."""
        try:
            fingerprint = fingerprint_of(public_key)
        except ValueError as error:
            raise Refused(Refusal.INVALID, str(error), "give the line of the file that ends with .pub") from None
        key = " ".join(public_key.split()[:2])
        made = AuthorKey(fingerprint, account, key, actor.name, self._parts.clock.now())
        with self._parts.database.writing() as connection:
            self._check_account(connection, account)
            known = rows.find(connection, AuthorKey, fingerprint=fingerprint)
            if known and known.account != account:
                remedy = f"tidegate user key {known.account} {fingerprint} --remove"
                raise Refused(Refusal.CONFLICT, f"the key {fingerprint} is {known.account}'s already", remedy)
            rows.put(connection, made)
            text = f"{actor.name} says that the key {fingerprint} is {account}'s"
            self._say(connection, EventKind.AUTHOR_KNOWN, text, actor, account)
        self._engine.hint_gates()
        return made

    def forget_key(self, fingerprint: str, actor: Actor) -> AuthorKey:
        """Vouch for a key no more."""
        with self._parts.database.writing() as connection:
            known = rows.find(connection, AuthorKey, fingerprint=fingerprint)
            if known is None:
                raise not_found("key", fingerprint, _LIST)
            rows.drop(connection, known)
            text = f"{actor.name} says no more that the key {fingerprint} is {known.account}'s"
            self._say(connection, EventKind.AUTHOR_UNKNOWN, text, actor, known.account)
        self._engine.hint_gates()
        return known

    def delegate(self, giver: str, taker: str, span: timedelta, service: str | None, actor: Actor) -> Delegation:
        """Let `taker` answer gates in the place of `giver` for a while."""
        if not timedelta(0) < span <= LONGEST_DELEGATION:
            raise Refused(Refusal.INVALID, f"somebody stands in for {LONGEST_DELEGATION.days} days at most", "--for 7d")
        if giver == taker:
            raise Refused(Refusal.INVALID, "nobody stands in for themselves", "name another account")
        now = self._parts.clock.now()
        with self._parts.database.writing() as connection:
            for name in (giver, taker):
                self._check_account(connection, name)
            if service is not None and queries.service(connection, service) is None:
                raise not_found("service", service, "tidegate service list")
            made = Delegation(self._parts.new_id(), giver, taker, now, now + span, service)
            rows.put(connection, made)
            where = f" for {service}" if service else ""
            text = f"{taker} may answer in the place of {giver}{where} until {made.until:%Y-%m-%d %H:%M} UTC"
            self._say(connection, EventKind.DELEGATION_GIVEN, text, actor, giver)
        return made

    def end_delegation(self, delegation_id: str, actor: Actor) -> Delegation:
        """Let nobody answer in another's place any more; words that were given stay."""
        with self._parts.database.writing() as connection:
            known = rows.find(connection, Delegation, id=delegation_id)
            if known is None:
                raise not_found("delegation", delegation_id, "tidegate delegate --list")
            ended = replace(known, revoked_at=known.revoked_at or self._parts.clock.now())
            rows.put(connection, ended)
            text = f"{known.taker} answers no more in the place of {known.giver}"
            self._say(connection, EventKind.DELEGATION_ENDED, text, actor, known.giver)
        return ended

    def _check_account(self, connection: Connection, name: str) -> None:
        if people_queries.account(connection, name) is None:
            raise not_found("account", name, _LIST)

    def _say(self, connection: Connection, kind: EventKind, text: str, actor: Actor, account: str) -> None:
        events.append(connection, [Event(kind, text, {"account": account}, actor)], self._parts.clock.now())
