"""Passwords become hashes that are slow to try: argon2id (RFC 9106)."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from tidegate.model.password import normal_form

AT_ONCE = 2
"""How many are computed at a time: each takes 64 MiB and, for some 50 ms, a core."""

WAITING_AT_MOST = 8
"""More would keep the threads that other requests need."""


class TooManyAtOnce(Exception):
    """More people sign in at once than this server computes hashes for."""


class PasswordHashes:
    """Makes and compares hashes, few at a time. The parameters are the second choice of RFC 9106: 64 MiB, 3 passes."""

    def __init__(self, parameters: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._turns = threading.Semaphore(AT_ONCE)
        self._places = threading.Semaphore(AT_ONCE + WAITING_AT_MOST)
        self._nobodys = _of_no_password(parameters)

    def of(self, password: str) -> str:
        """The hash, which says its own parameters and salt. Raises TooManyAtOnce."""
        with self._turn():
            return self._hasher.hash(normal_form(password))

    def fits(self, known: str | None, password: str) -> bool:
        """Whether that is the password. Where there is none (None), the answer is no, and takes as long.

        Raises TooManyAtOnce.
        """
        with self._turn():
            try:
                self._hasher.verify(known or self._nobodys, normal_form(password))
            except (VerificationError, InvalidHashError):
                return False
        return known is not None

    def is_outdated(self, known: str) -> bool:
        """Whether a hash was made with other parameters than these."""
        return self._hasher.check_needs_rehash(known)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooManyAtOnce("more people sign in at this moment than the server can look at; try again")
        try:
            with self._turns:
                yield
        finally:
            self._places.release()


def _of_no_password(parameters: Parameters) -> str:
    """A hash in the form of RFC 9106's reference program that was computed from no password: comparing with it takes as
    long as with any other, and making it does not."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (parameters.salt_len, parameters.hash_len)
    )
    costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={parameters.version}${costs}${salt}${digest}"
