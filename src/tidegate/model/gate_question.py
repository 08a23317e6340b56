"""What a gate is asked: one release at one stage, and all that its rules look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.approval import Approval
from tidegate.model.break_glass import BreakGlass
from tidegate.model.calendar import Calendar
from tidegate.model.change import Author
from tidegate.model.evidence import Evidence
from tidegate.model.external import ExternalQuestion
from tidegate.model.freeze import Freeze
from tidegate.model.gate_rules import ApprovalRule, GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.known_people import KnownPeople
from tidegate.model.pace import Pace
from tidegate.model.pipeline import Mode
from tidegate.model.placement import PlacementFloor
from tidegate.model.service import EffectiveMode

ONE_PERSON = ApprovalRule(1)
"""What a gate to a protected environment asks for in delivery mode where the file says nothing."""


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """All that a gate looks at, for one release and one stage.

    `busy_with` says what moves at the placement now; `newer_waiting` names a newer release that waits at the same
    gate; `newest_order` is the order of the newest release that was ever deployed there; `by_person` says that a
    person asked for exactly this release there.
    """

    run: str
    order: int
    environment: str
    protected: bool
    mode: EffectiveMode
    rules: tuple[GateRules, ...]
    """The file's, the environment's, and those of the floors that hold here."""

    approvals: Sequence[Approval]
    people: KnownPeople = KnownPeople()
    authors: tuple[Author, ...] = ()
    """Who made the changes that the gate would let in."""

    triggered_by: str | None = None
    """The person who asked for the run, where one did."""

    by_person: bool = False
    is_drill: bool = False
    """Whether it only comes to be taken back."""

    incident: str | None = None
    """Why an incident is open there, where that keeps a drill out."""

    break_glass: BreakGlass | None = None
    held_by: str | None = None
    paused_because: str | None = None
    line_stopped_because: str | None = None
    upstream_failed: str | None = None
    newer_waiting: str | None = None
    newest_order: int = 0
    quarantined_because: str | None = None
    busy_with: str | None = None
    floor: PlacementFloor | None = None
    """Below which no release can serve there, where something was done that cannot be undone."""

    must_have_passed: tuple[EnvironmentName, ...] = ()
    """The environments that a release must have passed before it may come here, as the server demands."""

    passed_in: frozenset[EnvironmentName] = frozenset()
    """The environments in which a stage passed with exactly these artifacts."""

    freezes: Sequence[Freeze] = ()
    calendars: Sequence[Calendar] = ()
    external: Sequence[ExternalQuestion] = ()
    """What was asked outside about exactly this release here."""

    latest_recorded: datetime | None = None
    """The latest time of which something is recorded: the present is not before it."""
    evidence: Evidence | None = None
    """What policies read, where there are any."""
    stage: str = ""
    pace: Pace = Pace()
    """What limits the releases of the service in time, and what it requires of others."""

    before_first_share: int = 0
    """How many people the rollout asks before its first share, in whatever mode."""

    @property
    def asks_person(self) -> bool:
        """Whether a person opens the gate in policy's place."""
        return self.protected and self.mode.mode is Mode.DELIVERY

    @property
    def approval_rules(self) -> tuple[tuple[str, ApprovalRule], ...]:
        """The source and the rule of all approvals that are needed.

        Those of the file are asked for in delivery mode, and one person where it names none; in deployment mode none
        of them. What the rollout asks before its first share comes on top of no one: the same people may answer both.
        """
        asked = [(one.source, one.approvals) for one in self.rules if one.is_floor and one.approvals]
        own = next((one for one in self.rules if not one.is_floor), GateRules())
        if self.asks_person:
            asked.insert(0, (own.source, own.approvals or ONE_PERSON))
        if self.before_first_share:
            asked.append(("the first share", own.asking(self.before_first_share)))
        return tuple((source, rule) for source, rule in asked if rule.people)
