"""A run: one passage of a change, and of the release it becomes, through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.change import Change
from tidegate.model.gate import GateDecision
from tidegate.model.ids import EnvironmentName, ReleaseId, RolloutId, RunId, ServiceName, StageName
from tidegate.model.pipeline import Pipeline
from tidegate.model.reason import Reason

MADE_IS_KEPT = timedelta(days=7)
"""How long what the steps of an ended run made is kept at least: it may be tried again from where it failed."""


class Trigger(StrEnum):
    """What began a run."""

    PUSH = "push"
    DEPLOY = "deploy"
    DRILL = "drill"
    AFTER_ROLLBACK = "after_rollback"


class RunStatus(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"

    @property
    def is_ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (RunStatus.RUNNING, RunStatus.WAITING)


class StageState(StrEnum):
    """How a stage of a run stands."""

    PENDING = "pending"
    GATE = "gate"
    WORKING = "working"
    PASSED = "passed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"

    @property
    def is_ended(self) -> bool:
        """Whether the stage does nothing more by itself."""
        return self not in (StageState.PENDING, StageState.GATE, StageState.WORKING)


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage of a run. `gate` is the last decision of its gate, `opened_by` who or what opened it and why."""

    run: RunId
    name: StageName
    position: int
    environment: EnvironmentName
    state: StageState = StageState.PENDING
    attempt: int = 1
    gate: GateDecision | None = None
    opened_by: str = ""
    rollout: RolloutId | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    because: str = ""

    @property
    def id(self) -> str:
        """The run and the stage."""
        return f"{self.run}/{self.name}"


@dataclass(frozen=True, slots=True)
class Run:
    """One passage through the pipeline. `by_person` is set where a person asked for exactly this release."""

    id: RunId
    service: ServiceName
    change: Change
    order: int
    trigger: Trigger
    created_at: datetime
    actor: Actor = SYSTEM
    by_person: bool = False
    status: RunStatus = RunStatus.RUNNING
    pipeline: Pipeline | None = None
    release: ReleaseId | None = None
    held_by: str | None = None
    cancel_asked_by: str | None = None
    because: tuple[Reason, ...] = ()
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    changed: tuple[str, ...] | None = None
    """The files that differ from the commit before, where a step's condition asks for them."""

    @property
    def is_drill(self) -> bool:
        """Whether it practises a rollback."""
        return self.trigger is Trigger.DRILL

    @property
    def subject(self) -> str:
        """What it is about, in a line."""
        before = "After the rollback of: " if self.trigger is Trigger.AFTER_ROLLBACK else ""
        return before + self.change.subject

    @property
    def label(self) -> str:
        """How people call its release: the commit's first eight digits."""
        return self.change.commit[:8]
