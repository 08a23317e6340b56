"""Who does something."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.model.access import Access


class ActorKind(StrEnum):
    """Whether a person or a part of Tidegate acts."""

    PERSON = "person"
    POLICY = "policy"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as it is recorded. `access` is from where, None for a part of Tidegate: it is one and the same person
    from wherever they act."""

    kind: ActorKind
    name: str
    access: Access | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name


SYSTEM = Actor(ActorKind.SYSTEM, "tidegate")
POLICY = Actor(ActorKind.POLICY, "policy")
