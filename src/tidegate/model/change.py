"""A change: what somebody did to a service's repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import Commit


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a commit, as the commit says. `key` is the fingerprint of the key that signed it, where the signature
    is good; whose key that is, the commit cannot say."""

    name: str
    email: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One commit as its author made it; `at` is the committer's time in UTC, `parents` begin with the first."""

    commit: Commit
    author_name: str
    author_email: str
    at: datetime
    subject: str
    parents: tuple[Commit, ...] = ()
    key: str | None = None
    merged: tuple[Author, ...] = ()
    """Who made the commits that it merges."""

    version: str | None = None
    """What its nearest version tag makes of it when it was noticed; see model/version.py."""

    @property
    def authors(self) -> tuple[Author, ...]:
        """Everybody who made a part of it."""
        return (Author(self.author_name, self.author_email, self.key), *self.merged)
