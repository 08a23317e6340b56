"""Which account is a person's whom the sign-in provider knows, and in which teams that puts it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.passwords import check_may_have
from tidegate.engine.people import identity_in
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import SYSTEM, Actor, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.model.people import Account, AccountKind, Team
from tidegate.model.provider_person import (
    LONGEST_SUBJECT,
    ProviderAccount,
    ProviderPerson,
    ProviderSettings,
    account_name,
    is_of_domain,
    team_changes,
)
from tidegate.security.permission import Identity
from tidegate.store import events, people_queries, rows, sign_in_queries


class ProviderAccounts:
    """An account belongs to an issuer and a subject, never to a name: who gets another's name gets nothing with it.

    `reserved` are names that no account may get by itself, since the record uses them for others.
    """

    def __init__(self, engine: Engine, settings: ProviderSettings, reserved: Collection[str] = ()) -> None:
        self._parts = engine.parts
        self._settings = settings
        self._reserved = {*reserved, *(one.value for one in ActorKind), SYSTEM.name}

    def identity_of(self, person: ProviderPerson) -> Identity:
        """The account of somebody who signed in there, made where there is none, with the teams of its groups.

        Raises Refused where it may not sign in.
        """
        if not is_of_domain(person, self._settings.email_domains):
            domains = ", ".join(self._settings.email_domains)
            raise Refused(
                Refusal.REFUSED,
                f"only people with a verified address of {domains} sign in here",
                "ask an administrator",
            )
        with self._parts.database.writing() as connection:
            account = self._account_of(connection, person)
            if account.disabled_because is not None:
                raise Refused(
                    Refusal.REFUSED, f"{account.name} is disabled: {account.disabled_because}", "ask an administrator"
                )
            self._follow_groups(connection, account.name, person)
            identity = identity_in(connection, account.name)
        assert identity is not None  # it is there and not disabled
        return identity

    def bind(self, name: str, subject: str, actor: Actor) -> ProviderAccount:
        """Let an account be this person's, and nobody else's at this provider; its browsers are signed out."""
        issuer, now = self._settings.issuer, self._parts.clock.now()
        if not 0 < len(subject) <= LONGEST_SUBJECT:
            raise Refused(Refusal.INVALID, f"a subject has 1 to {LONGEST_SUBJECT} characters", "as the refusal said it")
        with self._parts.database.writing() as connection:
            account = people_queries.account(connection, name)
            if account is None:
                raise not_found("account", name, "tidegate user list")
            check_may_have(account)
            known = sign_in_queries.provider_account(connection, issuer, subject)
            if known is not None and known.account != name:
                unbind = f"tidegate user unbind {known.account}"
                raise Refused(Refusal.CONFLICT, f"this person has the account {known.account} already", unbind)
            self._unbind(connection, name)
            made = ProviderAccount(issuer, subject, name, actor.name, now)
            rows.put(connection, made)
            sign_in_queries.end_sessions(connection, name)
            text = f"{actor.name} lets the account {name} be that of {subject} at {issuer}"
            self._say(connection, EventKind.ACCOUNT_BOUND, text, name, actor, issuer=issuer, subject=subject)
        return made

    def unbind(self, name: str, actor: Actor) -> None:
        """Let nobody at this provider sign in to the account any more; its browsers are signed out."""
        with self._parts.database.writing() as connection:
            if people_queries.account(connection, name) is None:
                raise not_found("account", name, "tidegate user list")
            if self._unbind(connection, name):
                sign_in_queries.end_sessions(connection, name)
                text = f"{actor.name} lets nobody at {self._settings.issuer} sign in as {name} any more"
                self._say(connection, EventKind.ACCOUNT_UNBOUND, text, name, actor)

    def _account_of(self, connection: Connection, person: ProviderPerson) -> Account:
        known = sign_in_queries.provider_account(connection, person.issuer, person.subject)
        if known is not None:
            found = people_queries.account(connection, known.account)
            assert found is not None  # accounts are never removed
            return found
        name = account_name(person)
        if name is None:
            raise Refused(
                Refusal.REFUSED,
                "the sign-in provider says no user name, nor a verified address, that could be the name of an account",
                f"an administrator adds an account and binds it: tidegate user bind NAME {person.subject}",
            )
        if name in self._reserved or people_queries.account(connection, name):
            raise Refused(
                Refusal.CONFLICT,
                f"the name {name} is taken here, and is not given to whoever signs in with it elsewhere",
                f"an administrator who knows that it is the same person: tidegate user bind {name} {person.subject}",
            )
        return self._make(connection, name, person)

    def _make(self, connection: Connection, name: str, person: ProviderPerson) -> Account:
        now, actor = self._parts.clock.now(), Actor(ActorKind.PERSON, name)
        made = Account(name, AccountKind.PERSON, now, person.full_name)
        rows.put(connection, made)
        rows.put(connection, ProviderAccount(person.issuer, person.subject, name, "first sign-in", now))
        text = f"{name} signs in with {person.issuer} for the first time and gets an account"
        who = {"issuer": person.issuer, "subject": person.subject}
        self._say(connection, EventKind.ACCOUNT_ADDED, text, name, actor, **who)
        return made

    def _follow_groups(self, connection: Connection, name: str, person: ProviderPerson) -> None:
        """Join and leave the teams that the configuration maps groups to; groups that are not said are none."""
        teams = {one.name: one for one in people_queries.directory(connection).teams}
        for change in team_changes(name, person.groups or (), self._settings.teams, teams.values()):
            team = teams.get(change.team) or Team(change.team, self._parts.clock.now())
            members = {*team.members, name} if change.joins else {*team.members} - {name}
            rows.put(connection, replace(team, members=tuple(sorted(members))))
            does = "joins" if change.joins else "leaves"
            text = f"{name} {does} the team {change.team}, as its groups at {person.issuer} say"
            event = Event(EventKind.TEAM_CHANGED, text, {"account": name, "team": change.team})
            events.append(connection, [event], self._parts.clock.now())

    def _unbind(self, connection: Connection, name: str) -> bool:
        own = [
            one for one in sign_in_queries.provider_accounts_of(connection, name) if one.issuer == self._settings.issuer
        ]
        for one in own:
            rows.drop(connection, one)
        return bool(own)

    def _say(
        self, connection: Connection, kind: EventKind, text: str, account: str, actor: Actor, **data: object
    ) -> None:
        events.append(connection, [Event(kind, text, {"account": account}, actor, data)], self._parts.clock.now())
