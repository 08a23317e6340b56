"""Whose a change is: addresses and keys that somebody has vouched for, since a commit may say anything of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuthorAddress:
    """That an e-mail address in commits is an account's; it is kept in lower case."""

    address: str
    account: str
    given_by: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class AuthorKey:
    """That an SSH key which signs commits is an account's. `fingerprint` is as `ssh-keygen -l` writes it."""

    fingerprint: str
    account: str
    public_key: str
    given_by: str
    given_at: datetime
