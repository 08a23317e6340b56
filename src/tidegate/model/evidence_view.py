"""That somebody looked at the evidence for a run, and when first: an approval says what its giver had looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.approval import Seen
from tidegate.model.ids import RunId


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """A person's first look at one part of it. `stage` is empty where it is of the whole run."""

    run: RunId
    actor: str
    what: Seen
    stage: str
    first_at: datetime
