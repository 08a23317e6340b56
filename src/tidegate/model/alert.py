"""An alert of a monitoring system about a placement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fired: by its fingerprint it is known again. Without `resolved_at` it fires still."""

    fingerprint: str
    name: str
    summary: str
    since: datetime
    resolved_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}" if self.summary else self.name
