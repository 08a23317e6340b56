"""How far the versions of a server and an agent may be apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

MINOR_RELEASES_APART = 1

FIRST_TO_SAY = "0.1.0"
"""What an agent runs that does not say it."""


@dataclass(frozen=True, slots=True)
class Release:
    """The two numbers of a version that say what it understands."""

    major: int
    minor: int

    @classmethod
    def of(cls, version: str) -> Release:
        """Of `1.4.2`, `1.5.0rc1`, … Raises ValueError."""
        found = re.match(r"(\d{1,9})\.(\d{1,9})(?![\d])", version)
        if found is None:
            raise ValueError(f"{version[:50]!r} is not a version")
        return cls(int(found[1]), int(found[2]))

    def understands(self, other: Release) -> bool:
        """Whether the two may talk to each other."""
        return self.major == other.major and abs(self.minor - other.minor) <= MINOR_RELEASES_APART


def too_far_apart(server: str, agent: str) -> str | None:
    """Why an agent of that version cannot work for the server, in words; None where it can. Raises ValueError."""
    if Release.of(server).understands(Release.of(agent)):
        return None
    return (
        f"this agent is Tidegate {agent} and the server is Tidegate {server}: "
        "they may be one minor release apart, and no more"
    )
