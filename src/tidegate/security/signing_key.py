"""The key with which a server signs its record: Ed25519 (RFC 8032), its private part in a file of the data folder."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tidegate.security.private_file import read_or_create


class SigningKey:
    """One key. Only its public part is ever shown."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, text: str) -> str:
        """The signature of a text, in hexadecimal digits; the same for the same text."""
        return self._private.sign(text.encode()).hex()


def verify(public: str, text: str, signature: str) -> bool:
    """Whether the signature of a text is by the private part of this public key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def public_pem(public: str) -> str:
    """The public key as `openssl` reads it."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class SigningKeyFile:
    """The file with the private part (mode 0600); made where there is none. Beside it lies the next one while keys are
    changed: a change that was interrupted is ended by `settle`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = path.with_name(f"{path.name}.next")

    def key(self) -> SigningKey:
        """The present key. Raises OSError, or ValueError where the file holds no key."""
        return _load(self._path)

    def prepare_next(self) -> SigningKey:
        """A fresh key, kept beside the present one until it takes its place."""
        self._next.unlink(missing_ok=True)
        return _load(self._next)

    def take_next(self) -> None:
        """The next key is the present one from now on."""
        os.replace(self._next, self._path)

    def settle(self, newest_public: str | None) -> None:
        """End a change of keys that was interrupted: the next key counts where the record names it as the newest."""
        if not self._next.exists():
            return
        if _load(self._next).public == newest_public:
            self.take_next()
        else:
            self._next.unlink()


def _load(path: Path) -> SigningKey:
    text = read_or_create(path, _new_pem)
    try:
        private = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no private key; put it back from a backup, or remove it") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path} holds another kind of key than Ed25519; put it back from a backup, or remove it")
    return SigningKey(private)


def _new_pem() -> str:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()
