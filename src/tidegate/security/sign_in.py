"""Browsers: one-time codes and the sessions that they open. Both are kept in memory: a restart ends them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from tidegate.security.permission import Identity

CODE_VALID = timedelta(minutes=10)
SESSION_VALID = timedelta(hours=12)
KEPT_AT_MOST = 1000
"""Of codes, and of sessions; the oldest give way."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `csrf` must come back with everything that it asks to be changed."""

    identity: Identity
    csrf: str

    def accepts(self, csrf: str | None) -> bool:
        """Whether that is the session's CSRF token; compared in constant time."""
        return hmac.compare_digest(self.csrf.encode(), (csrf or "").encode())


class SignIn:
    """Codes and sessions; safe to be asked by several threads. `owner` is who a code is for where none is named.

    `now_as` gives what somebody who signed in earlier may do now, None for nobody any more.
    """

    def __init__(
        self,
        owner: Identity,
        now: Callable[[], datetime],
        now_as: Callable[[Identity], Identity | None] = lambda identity: identity,
    ) -> None:
        self._owner = owner
        self._now_as = now_as
        self._codes = _Kept[Identity](now, CODE_VALID)
        self._sessions = _Kept[Session](now, SESSION_VALID)

    def new_code(self, identity: Identity | None = None) -> str:
        """A code that opens one session within ten minutes."""
        return self._codes.add(identity or self._owner)

    def redeem(self, code: str) -> str | None:
        """Open a session: the value of its cookie. None where the code was used, is too old, or never was."""
        identity = self._codes.take(code)
        if identity is None:
            return None
        return self._sessions.add(Session(identity, secrets.token_urlsafe(32)))

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie's value, unless it is over, with what its account may do now."""
        session = self._sessions.find(cookie) if cookie else None
        identity = self._now_as(session.identity) if session else None
        return replace(session, identity=identity) if session and identity else None

    def end(self, cookie: str | None) -> None:
        """Sign out."""
        if cookie:
            self._sessions.take(cookie)


class _Kept(Generic[Value]):
    """Values under random keys, for a while; only the keys' hashes are kept."""

    def __init__(self, now: Callable[[], datetime], valid: timedelta) -> None:
        self._now = now
        self._valid = valid
        self._values: dict[bytes, tuple[datetime, Value]] = {}
        self._lock = threading.Lock()

    def add(self, value: Value) -> str:
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_old()
            self._values[_hash(key)] = (self._now() + self._valid, value)
        return key

    def find(self, key: str) -> Value | None:
        with self._lock:
            return self._fresh(self._values.get(_hash(key)))

    def take(self, key: str) -> Value | None:
        with self._lock:
            return self._fresh(self._values.pop(_hash(key), None))

    def _fresh(self, kept: tuple[datetime, Value] | None) -> Value | None:
        return kept[1] if kept and self._now() < kept[0] else None

    def _forget_old(self) -> None:
        now = self._now()
        fresh = [(key, kept) for key, kept in self._values.items() if now < kept[0]]
        self._values = dict(fresh[-(KEPT_AT_MOST - 1) :])


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
