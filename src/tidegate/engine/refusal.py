"""Why a person's wish is not done: refusals carry the place and the remedy."""

from __future__ import annotations

from enum import Enum


class Refusal(Enum):
    """What kind of no it is."""

    NOT_FOUND = "not_found"
    REFUSED = "refused"
    CONFLICT = "conflict"
    INVALID = "invalid"


class Refused(Exception):
    """Nothing was changed; `str()` says what is wrong, `remedy` what to do next."""

    def __init__(self, kind: Refusal, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.remedy = remedy


def not_found(what: str, name: str, remedy: str | None = None) -> Refused:
    """There is no such thing."""
    return Refused(Refusal.NOT_FOUND, f"there is no {what} called {name!r}", remedy)
