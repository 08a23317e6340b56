"""The working copy in which the decision about a placement is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.approval import Approval
from tidegate.model.dead_man import Fallback
from tidegate.model.decision import Decision, Entity, WantedEffect
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Act, Effect, act_key
from tidegate.model.environment import Environment
from tidegate.model.event import Event, EventKind
from tidegate.model.gate_approvals import Voters
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import DeploymentId, Generation, IncidentId
from tidegate.model.incident import Incident
from tidegate.model.installation import Installation
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.rollout import Rollout
from tidegate.model.service import Service
from tidegate.model.verdict import Judgement

DRAIN_AT_MOST = timedelta(minutes=10)
"""How long requests and WebSockets that began on a leaving instance may take to end before it is stopped."""

CHECK_EVERY = timedelta(seconds=10)
"""How often a placement at rest is looked at."""

RETRY_STUCK = timedelta(seconds=10)

STUCK_AFTER = timedelta(seconds=30)
"""How long a target or a router may take nothing before that is said loudly."""


@dataclass(frozen=True, slots=True)
class PlacementState:
    """All that a decision about a placement looks at.

    `effects` are those of the placement's generation; `observed` is what the target said in this very look, None
    where it was not asked; `run_open` says that the rollout's run has not ended. `incident` is the open one, and
    `new_incident` the id of the one that may be opened now.
    """

    placement: Placement
    environment: Environment
    service: Service
    rollout: Rollout | None
    deployments: Mapping[DeploymentId, Deployment]
    effects: tuple[Effect, ...] = ()
    approvals: tuple[Approval, ...] = ()
    gate: GateRules = GateRules()
    """The file's rules at the gate of the rollout's stage: they say whose word counts between two shares, too."""

    voters: Voters = Voters()
    judgement: Judgement | None = None
    observed: Mapping[DeploymentId, Installation] | None = None
    measured: bool = False
    run_open: bool = False
    batch: timedelta = timedelta(seconds=10)
    incident: Incident | None = None
    new_incident: IncidentId = IncidentId("")
    fell_back: Fallback | None = None
    """What the dead man did at the placement the last time, as the router holds it."""


@dataclass
class PlacementDraft:
    """A placement's state as it is being decided; `decision()` is what differs from the state it began with."""

    state: PlacementState
    now: datetime
    placement: Placement = field(init=False)
    service: Service = field(init=False)
    rollout: Rollout | None = field(init=False)
    incident: Incident | None = field(init=False)
    deployments: dict[DeploymentId, Deployment] = field(init=False)
    known: dict[str, Effect] = field(init=False)
    events: list[Event] = field(default_factory=list)
    wanted: dict[str, WantedEffect] = field(default_factory=dict)
    wakes: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.placement = self.state.placement
        self.service = self.state.service
        self.rollout = self.state.rollout
        self.incident = self.state.incident
        self.deployments = dict(self.state.deployments)
        self.known = {effect.key: effect for effect in self.state.effects}

    def move(self, arrangement: Arrangement) -> None:
        """Want another arrangement: a new generation, which everything of the old one yields to.

        What is still present and no longer wanted stays a part without instances until it is drained and removed.
        """
        leftover = tuple(
            Part(one.id, 0) for one in self.deployments.values() if one.present and arrangement.part(one.id) is None
        )
        self.placement = replace(
            self.placement,
            arrangement=Arrangement((*arrangement.parts, *leftover)),
            generation=Generation(self.placement.generation + 1),
            reached_at=None,
        )
        self.known.clear()
        self.wanted.clear()

    def effect(self, act: Act, *, due_at: datetime | None = None, again: bool = False) -> Effect | None:
        """The effect of this act at this generation, asked for now where there is none yet (or `again`)."""
        key = act_key(act)
        known = self.known.get(key)
        if known is None or again:
            due = due_at or self.now
            self.wanted[key] = WantedEffect(self.placement.id, self.placement.generation, act, due, again)
        return None if again else known

    def update_rollout(self, **changes: object) -> Rollout:
        """Replace fields of the rollout."""
        assert self.rollout is not None
        self.rollout = replace(self.rollout, **changes)  # type: ignore[arg-type]
        return self.rollout

    def update_deployment(self, deployment: DeploymentId, **changes: object) -> None:
        """Replace fields of a deployment."""
        self.deployments[deployment] = replace(self.deployments[deployment], **changes)  # type: ignore[arg-type]

    def wake(self, at: datetime) -> None:
        """Look at the placement again at this time, or earlier."""
        self.wakes.append(at)

    def say(self, kind: EventKind, text: str, actor: Actor = SYSTEM, **data: object) -> None:
        """Record an event about the placement, its rollout and its run."""
        about = {"service": str(self.placement.service), "environment": str(self.placement.environment)}
        if self.rollout:
            about["rollout"] = self.rollout.id
            if self.rollout.run:
                about["run"] = self.rollout.run
            if self.rollout.new:
                about["deployment"] = self.rollout.new
        deployment = data.pop("deployment", None)
        if deployment:
            about["deployment"] = str(deployment)
        self.events.append(Event(kind, text, about, actor, data))

    def decision(self) -> Decision:
        """What is to be saved."""
        wake_at = min(self.wakes, default=None)
        self.placement = replace(self.placement, wake_at=wake_at)
        changes: list[Entity] = []
        if self.placement != self.state.placement:
            changes.append(self.placement)
        if self.service != self.state.service:
            changes.append(self.service)
        if self.rollout is not None and self.rollout != self.state.rollout:
            changes.append(self.rollout)
        if self.incident is not None and self.incident != self.state.incident:
            changes.append(self.incident)
        changes += [one for key, one in self.deployments.items() if one != self.state.deployments.get(key)]
        return Decision(tuple(changes), tuple(self.events), tuple(self.wanted.values()), wake_at)
