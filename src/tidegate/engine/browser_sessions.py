"""The sessions of browsers: opened, found again, and ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.people import identity_in
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.model.people import AccountKind, Role
from tidegate.model.sign_in import SESSION_LIMIT, BrowserSession, SignInWay
from tidegate.security.permission import Identity, everywhere
from tidegate.security.sign_in import Session
from tidegate.security.tokens import new_token, token_hash
from tidegate.store import events, people_queries, rows, sign_in_queries

SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last use of a session is known."""

KEPT_AT_MOST = 50
"""Sessions of one account; the oldest give way."""


class BrowserSessions:
    """Kept in the store, so that a restart of the server signs nobody out; only the hashes of cookies are.

    `csrf_of` makes a session's CSRF token of its cookie, with the server's key: it is kept nowhere.
    """

    def __init__(self, engine: Engine, csrf_of: Callable[[str], str]) -> None:
        self._parts = engine.parts
        self._csrf_of = csrf_of

    def open(self, identity: Identity, way: SignInWay, address: str) -> str | None:
        """The cookie of a new session; None for who opens no pages: agents, and accounts that are disabled or of
        services."""
        if identity.is_agent:
            return None
        cookie, now = new_token(), self._parts.clock.now()
        with self._parts.database.writing() as connection:
            if identity.account is not None and not _opens_pages(connection, identity.account):
                return None
            sign_in_queries.forget_old(connection, now)
            for one in sign_in_queries.sessions_of(connection, identity.account)[: -(KEPT_AT_MOST - 1)]:
                rows.drop(connection, one)
            made = BrowserSession(
                id=self._parts.new_id(),
                cookie_hash=token_hash(cookie),
                who=identity.actor.name,
                account=identity.account,
                role=identity.cap,
                token=identity.token,
                way=way,
                address=address,
                made_at=now,
                seen_at=now,
                expires_at=now + SESSION_LIMIT,
            )
            rows.put(connection, made)
            about = {"account": identity.account} if identity.account else {}
            text = f"{made.who} signs in with a {way.value}"
            data = {"from": address, "session": made.id}
            events.append(connection, [Event(EventKind.SIGNED_IN, text, about, identity.actor, data)], now)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie's value, unless it is over, with what its account may do now."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            known = sign_in_queries.session_with(connection, token_hash(cookie))
            identity = self._identity_of(connection, known) if known and known.is_open(now) else None
        if known is None or identity is None:
            return None
        if now - known.seen_at >= SEEN_EVERY:
            with self._parts.database.writing() as connection:
                sign_in_queries.note_seen(connection, known.id, now)
        return Session(identity, self._csrf_of(cookie))

    def end(self, cookie: str) -> None:
        """Sign out."""
        with self._parts.database.writing() as connection:
            known = sign_in_queries.session_with(connection, token_hash(cookie))
            if known is not None:
                rows.drop(connection, known)

    def of(self, account: str | None) -> tuple[BrowserSession, ...]:
        """The open sessions of an account, None for the server's owner; oldest first."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            found = sign_in_queries.sessions_of(connection, account)
            return tuple(one for one in found if one.is_open(now) and self._identity_of(connection, one))

    def end_all(self, account: str | None, actor: Actor) -> int:
        """Sign all browsers of an account out; how many there were."""
        with self._parts.database.writing() as connection:
            ended = sign_in_queries.end_sessions(connection, account)
            about = {"account": account} if account else {}
            text = f"{actor.name} signs all browsers of {account or 'the owner'} out"
            event = Event(EventKind.SESSIONS_ENDED, text, about, actor, {"sessions": ended})
            events.append(connection, [event] if ended else [], self._parts.clock.now())
        return ended

    def _identity_of(self, connection: Connection, session: BrowserSession) -> Identity | None:
        """Who the browser's user is now; None where the account, or the token that it came with, is over."""
        if session.account is None:
            return everywhere(Actor(ActorKind.PERSON, session.who), Role.ADMIN)
        if session.token is not None:
            token = people_queries.token(connection, session.token)
            if token is None or not token.opens(self._parts.clock.now()):
                return None
        return identity_in(connection, session.account, session.role, session.token)


def _opens_pages(connection: Connection, account: str) -> bool:
    known = people_queries.account(connection, account)
    return known is not None and known.kind is AccountKind.PERSON and known.disabled_because is None
