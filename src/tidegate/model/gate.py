"""Gates: what the entrance of a stage says, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tidegate.model.policy import PolicyResult
from tidegate.model.reason import Reason

PLACEMENT_RULE = "placement"
"""The rule that keeps a release out as long as something else moves there."""

FLOOR_RULE = "floor"
HOLD_RULE = "hold"
"""The rule that keeps a release out as long as a person holds its run."""


class GateState(StrEnum):
    """What a gate says."""

    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"

    @property
    def strictness(self) -> int:
        """Closed is stricter than waiting, waiting than open."""
        return list(GateState).index(self)


class Closing(StrEnum):
    """Why a closed gate will not open for this run."""

    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    UPSTREAM = "upstream"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule of a gate says."""

    state: GateState
    reason: Reason
    look_again_at: datetime | None = None
    closing: Closing | None = None


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What a gate decided: every rule that was looked at, what it saw and what it said."""

    state: GateState
    because: tuple[Reason, ...]
    opened_by: str = ""
    look_again_at: datetime | None = None
    closing: Closing | None = None
    blocking: tuple[Reason, ...] = ()
    """Of the reasons, those that keep it from opening; where it is closed, those that close it, whatever else waits."""

    policies: tuple[PolicyResult, ...] = ()
    """What each policy said, and the values that it read."""

    policy_alone: str = ""
    """Where a person is asked: what policy alone would have decided."""

    def of(self, service: str, release: str, environment: str) -> GateDecision:
        """The same with these names in what its rules say to do."""
        because = tuple(one.of(service, release, environment) for one in self.because)
        blocking = tuple(one.of(service, release, environment) for one in self.blocking)
        return replace(self, because=because, blocking=blocking)


def opens(rule: str, text: str, look_again_at: datetime | None = None) -> RuleVerdict:
    """The rule has nothing against it, until `look_again_at` where that is given."""
    return RuleVerdict(GateState.OPEN, Reason(rule, text), look_again_at)


def waits(rule: str, text: str, remedy: str | None = None, look_again_at: datetime | None = None) -> RuleVerdict:
    """The rule keeps it shut until something happens."""
    return RuleVerdict(GateState.WAITING, Reason(rule, text, remedy), look_again_at)


def closes(rule: str, text: str, closing: Closing, remedy: str | None = None) -> RuleVerdict:
    """The rule ends this run's way here."""
    return RuleVerdict(GateState.CLOSED, Reason(rule, text, remedy), closing=closing)
