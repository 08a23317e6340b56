"""Effects: what is to be done outside of the database, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.ids import DeploymentId, EffectId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Installation, Routing


class EffectState(StrEnum):
    """How far an effect is. PENDING ones are performed again and again until what they ask for is so."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Install:
    """Have exactly so many healthy instances of a deployment; 0 removes it."""

    deployment: DeploymentId
    instances: int


@dataclass(frozen=True, slots=True)
class SetShares:
    """Split the placement's traffic so."""

    routing: Routing


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until nothing is in flight to these endpoints."""

    deployment: DeploymentId
    endpoints: tuple[Endpoint, ...]


Act = Install | SetShares | Drain


def act_key(act: Act) -> str:
    """What tells an act from the others of the same generation."""
    match act:
        case Install(deployment, instances):
            return f"install:{deployment}:{instances}"
        case SetShares():
            return "shares"
        case Drain(deployment, endpoints):
            return f"drain:{deployment}:{','.join(str(endpoint.port) for endpoint in endpoints)}"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do. `token` is the lease of whoever performs it now, until `leased_until`.

    `installation` is what the last performance of an Install saw; `done_at` is when it was seen to be so.
    """

    id: EffectId
    placement: PlacementId
    generation: Generation
    key: str
    act: Act
    state: EffectState
    created_at: datetime
    due_at: datetime
    token: int = 0
    leased_until: datetime | None = None
    performed: int = 0
    detail: str = ""
    installation: Installation | None = None
    done_at: datetime | None = None

    @property
    def free_at(self) -> datetime:
        """When it may be performed: it is due, and nobody has it."""
        return self.due_at if self.leased_until is None else max(self.due_at, self.leased_until)
