"""Policies: expressions on the evidence that must be true where a gate is to open, and what they said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

UNNAMED = "policy"
"""What a policy without a name is called."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An expression that must be true. `message` is said where it is not."""

    name: str
    expression: str
    message: str = ""


class PolicyAnswer(StrEnum):
    """What became of a policy's question."""

    TRUE = "true"
    FALSE = "false"
    MISSING = "missing"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What a policy said, and why. `source` is where it is written; `inputs` are what it read, by place; `missing` is
    the place that was not there."""

    name: str
    source: str
    expression: str
    answer: PolicyAnswer
    text: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    missing: str | None = None

    @property
    def holds(self) -> bool:
        """Whether it has nothing against the release."""
        return self.answer is PolicyAnswer.TRUE
