"""A person's recorded yes or no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.actor import Actor
from tidegate.model.ids import ReleaseId, RunId, StageName


class Answer(StrEnum):
    """Yes or no."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer for one release at one point: the stage's gate (`point` 0) or before rollout step `point`."""

    id: str
    run: RunId
    stage: StageName
    release: ReleaseId
    point: int
    answer: Answer
    actor: Actor
    at: datetime
    comment: str = ""
