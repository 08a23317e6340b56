"""Break-glass: an operator opens a gate at once, whatever it says, with a reason that is looked at later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.actor import Actor
from tidegate.model.ids import ReleaseId, RunId, StageName


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """One such opening, for one release at one attempt of one stage. Without `reviewed_at` its review is still owed."""

    id: str
    run: RunId
    stage: StageName
    release: ReleaseId
    actor: Actor
    reason: str
    at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    review: str = ""
    attempt: int = 1
    """Of the stage: where the run is tried again, the glass is whole again."""

    @property
    def is_reviewed(self) -> bool:
        """Whether somebody else has looked at it."""
        return self.reviewed_at is not None
