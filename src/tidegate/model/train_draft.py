"""The working copy in which the decision about a train is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.decision import Decision, Entity
from tidegate.model.deployment import Deployment
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import ReleaseId, RunId, ServiceName, StageName
from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.train import Member, MemberState, Train, TrainRun, TrainRunId


@dataclass(frozen=True, slots=True)
class Ready:
    """A release that nothing but the train keeps out; `unmet` are the services that it requires in another version
    than the one that serves."""

    service: ServiceName
    run: RunId
    release: ReleaseId
    label: str
    stage: StageName
    order: int
    unmet: tuple[ServiceName, ...] = ()


@dataclass(frozen=True, slots=True)
class Boarded:
    """How a release aboard stands outside of the train; `returns` is the rollout by which the train takes it back, and
    `previous` the deployment that served before it."""

    run: Run
    stage: StageRun
    rollout: Rollout | None
    placement: Placement
    owner: Rollout | None
    previous: Deployment | None
    returns: Rollout | None = None


@dataclass(frozen=True, slots=True)
class TrainView:
    """All that a decision about a train looks at: `train` is None where the configuration has it no more, `passage` the
    open passage, `last` the one before it, and `new` the id that a new one would get."""

    name: str
    train: Train | None
    passage: TrainRun | None
    last: TrainRun | None
    ready: tuple[Ready, ...]
    boarded: Mapping[ServiceName, Boarded]
    new: TrainRunId


@dataclass
class TrainDraft:
    """A train's passage as it is being decided."""

    view: TrainView
    now: datetime
    passage: TrainRun
    changes: list[Entity] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wake_at: datetime | None = None

    def update(self, **changes: object) -> TrainRun:
        """Replace fields of the passage."""
        self.passage = replace(self.passage, **changes)  # type: ignore[arg-type]
        return self.passage

    def set_member(self, service: ServiceName, state: MemberState, because: str = "") -> None:
        """Keep how a release aboard stands."""
        self.update(
            members=tuple(
                replace(one, state=state, because=because) if one.service == service else one
                for one in self.passage.members
            )
        )

    def say(
        self, kind: EventKind, text: str, member: Member | None = None, actor: Actor = SYSTEM, **about: str
    ) -> None:
        """Record an event about the train, or about a release aboard."""
        named = {"train": self.passage.train, "passage": str(self.passage.id)}
        named["environment"] = self.passage.environment
        if member:
            named |= {"service": member.service, "run": member.run, "release": member.release, "stage": member.stage}
        services = [str(one.service) for one in self.passage.members]
        data = {} if member else {"state": self.passage.state.value, "services": services}
        self.events.append(Event(kind, text, named | about, actor, data))

    def decision(self) -> Decision:
        """What is to be saved."""
        passage = () if self.passage == self.view.passage else (self.passage,)
        return Decision((*passage, *self.changes), tuple(self.events), (), self.wake_at)
