"""Bearer tokens: files that hold one, and whose they are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

from tidegate.security.permission import Identity
from tidegate.security.private_file import read_or_create

TOKEN_BYTES = 32


def ensure_token(path: Path) -> str:
    """The token in the file; a new one where there is no file yet (mode 0600). Raises OSError or ValueError."""
    return read_or_create(path, new_token)


def new_token() -> str:
    """A fresh one."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What may be kept of a token: 64 hexadecimal digits. Tokens are long and random, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """The known tokens. Only their hashes are kept. `elsewhere` is asked for those that were not added here."""

    def __init__(self, elsewhere: Callable[[str], Identity | None] = lambda _: None) -> None:
        self._known: dict[str, Identity] = {}
        self._elsewhere = elsewhere

    def add(self, token: str, identity: Identity) -> None:
        """From now on this is whose token it is. Raises ValueError for an empty one."""
        if not token:
            raise ValueError("an empty token would let everybody in")
        self._known = {**self._known, token_hash(token): identity}

    def remove(self, token: str) -> None:
        """From now on it opens nothing."""
        self._known = {known: identity for known, identity in self._known.items() if known != token_hash(token)}

    def find(self, token: str) -> Identity | None:
        """Whose token it is."""
        return self.added(token) or self._elsewhere(token)

    def added(self, token: str) -> Identity | None:
        """Whose token it is, of those that were added. Takes the same time whichever of them it resembles."""
        asked = token_hash(token)
        found = None
        for known, identity in self._known.items():
            if hmac.compare_digest(known, asked):
                found = identity
        return found
