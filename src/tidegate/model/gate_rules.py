"""What a gate demands: the rules of a service's file, of the environment, and of the server's floors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from tidegate.model.external import ExternalRule
from tidegate.model.policy import Policy
from tidegate.model.requires import Requirement
from tidegate.model.schedule import Schedule
from tidegate.model.window import Window

THE_FILE = "tidegate.yaml"
"""The source of the rules that a service's own file names; those of the server's configuration have another."""


@dataclass(frozen=True, slots=True)
class ApprovalGroup:
    """So many people out of these teams and accounts; where none is named, anybody who may approve there."""

    count: int = 1
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Which people must say yes, and for how long their word holds.

    Where `all_of` names groups, each of them is asked instead of the one that `count` and `sources` describe; a person
    counts for one of them only.
    """

    count: int
    expires: timedelta | None = None
    sources: tuple[str, ...] = ()
    all_of: tuple[ApprovalGroup, ...] = ()
    not_author: bool = False
    """Nobody who made one of the changes counts."""

    not_trigger: bool = False
    """Nor does who asked for the run."""

    comment: bool = False
    """A yes needs words."""

    delegates: bool = True
    """Whether a word counts that somebody gives in the place of another."""

    @property
    def groups(self) -> tuple[ApprovalGroup, ...]:
        """All groups that are asked."""
        return self.all_of or (ApprovalGroup(self.count, self.sources),)

    @property
    def people(self) -> int:
        """How many people it takes at least."""
        return sum(group.count for group in self.groups)

    def asking(self, count: int) -> ApprovalRule:
        """The rule for so many people between two shares: whose word counts is the same, and it is given at once."""
        groups = self.all_of or (ApprovalGroup(0, self.sources),)
        anybody = any(not group.sources for group in groups)
        sources = () if anybody else tuple(dict.fromkeys(one for group in groups for one in group.sources))
        return replace(self, count=count, sources=sources, all_of=(), expires=None)


@dataclass(frozen=True, slots=True)
class GateRules:
    """The rules of one source for a gate. Those of several sources hold all together: none weakens another."""

    approvals: ApprovalRule | None = None
    source: str = THE_FILE
    windows: tuple[Window, ...] = ()
    """It opens only while one of them is open."""

    schedule: Schedule | None = None
    external: ExternalRule | None = None
    policies: tuple[Policy, ...] = ()
    requires: tuple[Requirement, ...] = ()
    """What must serve of other services where the release goes."""

    def asking(self, count: int) -> ApprovalRule:
        """What asks so many people between two shares."""
        return (self.approvals or ApprovalRule(count)).asking(count)

    @property
    def is_floor(self) -> bool:
        """Whether they come from the server's configuration, and hold in every mode."""
        return self.source != THE_FILE
