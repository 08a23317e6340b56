"""Browsers: one-time codes, kept in memory for minutes, and the sessions that they open, kept in the store."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.model.sign_in import SignInWay
from tidegate.security.permission import Identity

CODE_VALID = timedelta(minutes=10)
KEPT_AT_MOST = 1000
"""Of codes; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `csrf` must come back with everything that it asks to be changed."""

    identity: Identity
    csrf: str

    def accepts(self, csrf: str | None) -> bool:
        """Whether that is the session's CSRF token; compared in constant time."""
        return hmac.compare_digest(self.csrf.encode(), (csrf or "").encode())


class Sessions(Protocol):
    """Keeps the sessions of browsers."""

    def open(self, identity: Identity, way: SignInWay, address: str) -> str | None:
        """The cookie of a new session; None for who opens no pages."""

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie's value, unless it is over, with what its account may do now."""

    def end(self, cookie: str) -> None:
        """Sign out."""


class SignIn:
    """Codes and sessions; safe to be asked by several threads. `owner` is who a code is for where none is named."""

    def __init__(self, owner: Identity, now: Callable[[], datetime], sessions: Sessions) -> None:
        self._owner = owner
        self._codes = _Codes(now)
        self._sessions = sessions

    def new_code(self, identity: Identity | None = None) -> str:
        """A code that opens one session within ten minutes."""
        return self._codes.add(identity or self._owner)

    def redeem(self, code: str, address: str = "") -> str | None:
        """Open a session: the value of its cookie. None where the code was used, is too old, or never was."""
        identity = self._codes.take(code)
        return self.open(identity, SignInWay.CODE, address) if identity else None

    def open(self, identity: Identity, way: SignInWay, address: str = "") -> str | None:
        """Open a session for who has proven it in that way: the value of its cookie; None for who opens no pages."""
        return self._sessions.open(identity, way, address)

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie's value, unless it is over, with what its account may do now."""
        return self._sessions.find(cookie) if cookie else None

    def end(self, cookie: str | None) -> None:
        """Sign out."""
        if cookie:
            self._sessions.end(cookie)


class _Codes:
    """Who signs in with which code; only the codes' hashes are kept."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: dict[bytes, tuple[datetime, Identity]] = {}
        self._lock = threading.Lock()

    def add(self, identity: Identity) -> str:
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_old()
            self._kept[_hash(code)] = (self._now() + CODE_VALID, identity)
        return code

    def take(self, code: str) -> Identity | None:
        with self._lock:
            kept = self._kept.pop(_hash(code), None)
        return kept[1] if kept and self._now() < kept[0] else None

    def _forget_old(self) -> None:
        now = self._now()
        fresh = [(key, kept) for key, kept in self._kept.items() if now < kept[0]]
        self._kept = dict(fresh[-(KEPT_AT_MOST - 1) :])


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
