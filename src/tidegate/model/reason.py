"""Why something was decided."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that was looked at, what it saw and said, and the command or event that changes it."""

    rule: str
    text: str
    remedy: str | None = None

    def of(self, service: str, release: str | None = None, environment: str | None = None) -> Reason:
        """The same with names in its remedy: rules know none, and say SERVICE, `--release R` and `--env E`."""
        if self.remedy is None:
            return self
        remedy = self.remedy.replace("SERVICE", service)
        for word, name in (("--release R", release), ("--env E", environment)):
            remedy = re.sub(rf"{word}\b", f"{word[:-1]}{name}", remedy) if name else remedy
        return replace(self, remedy=remedy)

    def __str__(self) -> str:
        return f"{self.text} ({self.remedy})" if self.remedy else self.text
