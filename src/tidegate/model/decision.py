"""A decision: everything that is to change, to be recorded and to be done, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.deployment import Deployment
from tidegate.model.effect import Act
from tidegate.model.event import Event
from tidegate.model.external import ExternalQuestion
from tidegate.model.ids import Generation, PlacementId, StepRunId
from tidegate.model.incident import Incident
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.step_run import StepRun, StepState
from tidegate.model.train import TrainRun

Entity = (
    Service
    | Run
    | StageRun
    | StepRun
    | Release
    | Deployment
    | Placement
    | Rollout
    | Incident
    | ExternalQuestion
    | TrainRun
)


@dataclass(frozen=True, slots=True)
class WantedEffect:
    """An effect that a decision asks for; asked for again it is the same one, unless `again` re-arms it."""

    placement: PlacementId
    generation: Generation
    act: Act
    due_at: datetime
    again: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision changes. Saved whole in one transaction, or not at all."""

    changes: tuple[Entity, ...] = ()
    events: tuple[Event, ...] = ()
    effects: tuple[WantedEffect, ...] = ()
    wake_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether deciding again would change nothing: what did change are only steps that now wait for an agent."""
        return all(isinstance(one, StepRun) and one.state is StepState.READY for one in self.changes)

    @property
    def ready_steps(self) -> frozenset[StepRunId]:
        """The steps that wait for an agent from now on."""
        return frozenset(one.id for one in self.changes if isinstance(one, StepRun) and one.state is StepState.READY)
