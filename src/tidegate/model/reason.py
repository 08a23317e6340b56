"""Why something was decided."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that was looked at, what it saw and said, and the command or event that changes it."""

    rule: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.remedy})" if self.remedy else self.text
