"""Delegation: that somebody may answer gates in another's place, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delegation:
    """`taker` may answer in the place of `giver` until a time, for one service or (None) for all."""

    id: str
    giver: str
    taker: str
    given_at: datetime
    until: datetime
    service: str | None = None
    revoked_at: datetime | None = None

    def holds(self, service: str, now: datetime) -> bool:
        """Whether it counts for the service at that time."""
        return self.revoked_at is None and self.given_at <= now < self.until and self.service in (None, service)
