"""A change: what somebody did to a service's repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import Commit


@dataclass(frozen=True, slots=True)
class Change:
    """One commit as its author made it; `at` is the committer's time in UTC, `parents` begin with the first."""

    commit: Commit
    author_name: str
    author_email: str
    at: datetime
    subject: str
    parents: tuple[Commit, ...] = ()
