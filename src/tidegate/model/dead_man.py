"""The dead man: what sends the traffic of a rollout back to the old deployment when nobody judges it any longer.

The server leaves a note before it gives a share to a new deployment, and a new one with each judgement. A process that
lives on without the server obeys the last note once it is overdue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.deployment import Deployment
from tidegate.model.figures import Snapshot
from tidegate.model.ids import DeploymentId, Generation, PlacementId, RolloutId
from tidegate.model.installation import Route, Routing
from tidegate.model.pipeline import OnBlind, Strategy
from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.share import NONE, WHOLE

BATCHES_AT_LEAST = 3
"""A note lasts for at least so many batches: each judgement may come a little late, and one may fail."""

_JUDGED = (RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING)


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be done about a placement once nobody has judged its rollout for `after`.

    `generation` is the move that it was written for, which may be still to come: it holds for all earlier ones as well.
    `new` loses its share, and `back_to` is the split then.
    """

    rollout: RolloutId
    generation: Generation
    new: DeploymentId
    back_to: Routing
    after: timedelta
    batch: timedelta

    @property
    def placement(self) -> PlacementId:
        return self.back_to.placement

    def is_for(self, generation: Generation, serving: Routing | None) -> bool:
        """Whether it is still about what the router holds: no later move came, and the new deployment has a share."""
        routes = serving.routes if serving else ()
        return generation <= self.generation and any(
            route.deployment == self.new and route.share > NONE for route in routes
        )

    def counts_after(self, taken: int) -> timedelta:
        """After how long without a judgement there is to be counted what was served, where that was done `taken` times:
        once a batch, a little later than a server would."""
        return self.batch * (taken + 1.5)

    @property
    def fallback_generation(self) -> Generation:
        """The generation of what the dead man does: later than all that the note is about."""
        return Generation(self.generation + 1)


@dataclass(frozen=True, slots=True)
class Fallback:
    """What the dead man did: `at` a time it sent all traffic back, under a generation of its own, because nobody had
    judged the rollout for `unjudged`.

    `counted` is what was counted meanwhile, batch by batch, of the split that was served until then; nothing where it
    could not be read.
    """

    rollout: RolloutId
    generation: Generation
    at: datetime
    unjudged: timedelta
    counted: tuple[Snapshot, ...] = ()


def note_for(
    placement: Placement,
    rollout: Rollout | None,
    deployments: Mapping[DeploymentId, Deployment],
    batch: timedelta,
) -> Note | None:
    """The note to be left for what the placement is to be now; None where nothing may go back by itself."""
    if rollout is None or rollout.verify is None or not _goes_back(rollout):
        return None
    parts = placement.arrangement.parts
    old = placement.arrangement.part(rollout.old)
    if old is None or not deployments[old.deployment].endpoints_of(old.instances) or rollout.new is None:
        return None
    routes = tuple(
        Route(old.deployment, WHOLE, deployments[old.deployment].endpoints_of(old.instances))
        if part is old
        else Route(part.deployment, NONE, deployments[part.deployment].endpoints)
        for part in parts
    )
    return Note(
        rollout=rollout.id,
        generation=placement.generation,
        new=rollout.new,
        back_to=Routing(placement.id, placement.port, routes),
        after=max(rollout.verify.blind_after, BATCHES_AT_LEAST * batch),
        batch=batch,
    )


def _goes_back(rollout: Rollout) -> bool:
    """Whether the rollout's share goes back while nobody judges it: it has not passed, and the file says so."""
    if rollout.kind is not RolloutKind.RELEASE or rollout.state not in _JUDGED or rollout.old is None:
        return False
    assert rollout.verify is not None
    if rollout.verify.blind is not None:
        return rollout.verify.blind is OnBlind.BASELINE
    asked_for = rollout.promoted_by or any(step.approvals for step in rollout.plan[: rollout.step + 1])
    return rollout.strategy is Strategy.CANARY and not asked_for
