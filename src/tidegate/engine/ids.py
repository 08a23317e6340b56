"""New identifiers, passed in: ULIDs here, a counted sequence in sim/."""

from __future__ import annotations

from ulid import ULID


def new_ulid() -> str:
    """A new ULID: ordered by time, never the same twice."""
    return str(ULID()).lower()
