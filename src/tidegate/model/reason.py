"""Why something was decided."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that was looked at, what it saw and said, and the command or event that changes it."""

    rule: str
    text: str
    remedy: str | None = None

    def of(self, service: str) -> Reason:
        """The same with the service's name in its remedy: rules know none, and say SERVICE."""
        return replace(self, remedy=self.remedy.replace("SERVICE", service)) if self.remedy else self

    def __str__(self) -> str:
        return f"{self.text} ({self.remedy})" if self.remedy else self.text
