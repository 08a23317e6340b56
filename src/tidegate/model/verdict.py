"""What verification says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ONLY_SYNTHETIC = "verified by synthetic requests and health alone: no user asked"
"""What is said of a service without users."""


class Verdict(StrEnum):
    """The answer of a verification."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class MetricFinding:
    """What one metric showed: `canary` and `baseline` in its unit, `evidence` against the new deployment as a p-value
    already corrected for looking often and at several metrics (smaller is worse). Of usage the real figure of the new
    deployment lies between `low` and `high`, with 95%."""

    name: str
    canary: float | None
    baseline: float | None
    evidence: float
    unit: str
    verdict: Verdict
    low: float | None = None
    high: float | None = None

    @property
    def is_only_told(self) -> bool:
        """Whether it is usage with its interval, which decides nothing."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason in words and the figures behind it."""

    verdict: Verdict
    reason: str
    blamed: str | None = None
    metrics: tuple[MetricFinding, ...] = ()
    level: float = 0.01
    """The stated false-alarm level: the probability, over a whole rollout, of failing a harmless deployment."""

    suspects: bool = False
    """Whether something looks like harm that is not certain enough to fail for."""

    only_synthetic: bool = False
    """Whether it passes by synthetic requests alone: no more requests came than those that Tidegate sent itself."""
