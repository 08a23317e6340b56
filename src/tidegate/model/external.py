"""External answers: a gate that asks an HTTP address, and what it hears."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName, StageName

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts to put a question that nobody took."""


@dataclass(frozen=True, slots=True)
class ExternalRule:
    """Whom a gate asks. `secret` names the service's secret with which both sides sign."""

    url: str
    secret: str
    timeout: timedelta = timedelta(hours=1)


class QuestionState(StrEnum):
    """How far a question is."""

    ASKING = "asking"
    """It is put to the address, again and again until somebody there takes it."""

    ASKED = "asked"
    """It was taken, and the answer is awaited."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody answered in time. Whoever answers now is late."""

    @property
    def is_open(self) -> bool:
        """Whether an answer still counts."""
        return self in (QuestionState.ASKING, QuestionState.ASKED)


@dataclass(frozen=True, slots=True)
class ExternalQuestion:
    """A question of one gate about exactly one release, in one attempt of its stage.

    It keeps its id however often it is sent, so that the other side can tell; `nonce` is known only to the two sides,
    and comes back with the answer. `token` is the lease of whoever sends it now, until `leased_until`.
    """

    id: str
    run: RunId
    stage: StageName
    attempt: int
    source: str
    release: ReleaseId
    service: ServiceName
    environment: EnvironmentName
    url: str
    secret: str
    nonce: str
    asked_at: datetime
    expires_at: datetime
    due_at: datetime
    state: QuestionState = QuestionState.ASKING
    sent: int = 0
    token: int = 0
    leased_until: datetime | None = None
    detail: str = ""
    answered_at: datetime | None = None
    reason: str = ""

    @property
    def free_at(self) -> datetime:
        """When it may be sent: it is due, and nobody sends it."""
        return self.due_at if self.leased_until is None else max(self.due_at, self.leased_until)

    def not_taken(self, detail: str, now: datetime) -> ExternalQuestion:
        """It is sent again after a pause that doubles."""
        pause = min(FIRST_PAUSE * 2 ** min(max(self.sent - 1, 0), 16), LONGEST_PAUSE)
        return replace(self, detail=detail, due_at=now + pause, leased_until=None)

    def taken(self) -> ExternalQuestion:
        """Its answer comes later."""
        return replace(self, state=QuestionState.ASKED, detail="", leased_until=None)

    def answered(self, state: QuestionState, reason: str, now: datetime) -> ExternalQuestion:
        """The answer is there."""
        return replace(self, state=state, reason=reason, answered_at=now, detail="", leased_until=None)
