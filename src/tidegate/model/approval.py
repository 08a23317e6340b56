"""A person's recorded yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.actor import Actor
from tidegate.model.ids import ReleaseId, RunId, StageName


class Answer(StrEnum):
    """What a person says."""

    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """A yes that is taken back before anything began."""


class Seen(StrEnum):
    """A part of the evidence that somebody may have looked at."""

    RUN = "run"
    EVIDENCE = "evidence"
    LOGS = "logs"


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
    stands_for: tuple[str, ...] = ()
    """The accounts that had asked this person to answer in their place at that time."""

    looked_at: tuple[Seen, ...] = ()
    """What of the evidence the person had looked at before."""

    @property
    def figures(self) -> Mapping[str, object]:
        """What the record keeps of it beside the words."""
        return {
            "answer": self.answer.value,
            "release": self.release,
            "share": self.point or None,
            "comment": self.comment,
            "stands_for": list(self.stands_for),
            "looked_at": [one.value for one in self.looked_at],
        }
