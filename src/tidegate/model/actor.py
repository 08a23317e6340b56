"""Who does something."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """Whether a person or a part of Tidegate acts."""

    PERSON = "person"
    POLICY = "policy"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as it is recorded."""

    kind: ActorKind
    name: str

    def __str__(self) -> str:
        return self.name


SYSTEM = Actor(ActorKind.SYSTEM, "tidegate")
POLICY = Actor(ActorKind.POLICY, "policy")
