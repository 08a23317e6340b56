"""Sealing what the database keeps secret, with a key that is kept beside it."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from tidegate.security.private_file import read_or_create


class WrongKey(Exception):
    """A sealed value cannot be opened with this key; the message names the key file and what to do."""


class SecretBox:
    """Seals texts with Fernet (AES-128-CBC and HMAC-SHA-256, https://github.com/fernet/spec).

    The key file (mode 0600) is made when it is missing. Raises WrongKey where the file holds no key, OSError.
    """

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        try:
            key = read_or_create(key_file, lambda: Fernet.generate_key().decode())
            self._fernet = Fernet(key)
            self._key = key.encode()
        except ValueError:
            raise WrongKey(
                f"{key_file} holds no key; put the file back from a backup. Without it no secret can be opened; "
                "remove it to begin with a new key, and set every secret again: tidegate secret set"
            ) from None

    def seal(self, value: str) -> str:
        """What may be written to the database; the same value gives another text each time."""
        return self._fernet.encrypt(value.encode()).decode()

    def open(self, sealed: str) -> str:
        """The value again. Raises WrongKey."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise WrongKey(
                f"a secret was not sealed with the key in {self._file}; put back the key file that belongs to this "
                "database, or set the secret again: tidegate secret set"
            ) from None

    def mark(self, purpose: str, text: str) -> str:
        """What only this server can make of a text (HMAC-SHA-256), for one purpose: 64 hexadecimal digits."""
        own = hmac.digest(self._key, purpose.encode(), hashlib.sha256)
        return hmac.new(own, text.encode(), hashlib.sha256).hexdigest()
