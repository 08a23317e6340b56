"""A placement: a service in an environment, and how it should be arranged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import DeploymentId, EnvironmentName, Generation, PlacementId, RolloutId, ServiceName
from tidegate.model.share import NONE, WHOLE_PARTS, Share


@dataclass(frozen=True, slots=True)
class Part:
    """A deployment's part in an arrangement: how many instances it should have and which share of the traffic."""

    deployment: DeploymentId
    instances: int
    share: Share = NONE


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a placement should look like. No part with a share: empty, nothing serves."""

    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if sum(part.share.parts for part in self.parts) not in (0, WHOLE_PARTS):
            raise ValueError("the shares of an arrangement must add up to 100%, or to nothing")

    def part(self, deployment: DeploymentId | None) -> Part | None:
        """The part of a deployment, None where it has none."""
        return next((part for part in self.parts if part.deployment == deployment), None)

    @property
    def serving(self) -> tuple[DeploymentId, ...]:
        """The deployments that get traffic, the largest share first."""
        ranked = sorted(self.parts, key=lambda part: -part.share.parts)
        return tuple(part.deployment for part in ranked if part.share > NONE)


@dataclass(frozen=True, slots=True)
class PlacementFloor:
    """The oldest release that can still serve at a placement: a step of it, which cannot be undone, may have begun.

    `order` and `label` are the release's.
    """

    order: int
    label: str
    step: str
    since: datetime

    @property
    def words(self) -> str:
        """Why nothing older serves, as a sentence."""
        return f'the step "{self.step}" of {self.label} cannot be undone, and no older release can serve after it'


@dataclass(frozen=True, slots=True)
class Placement:
    """A service in an environment.

    `generation` grows with every move; `reached_at` is when the router was seen to serve the arrangement of this
    generation, None while it is being moved there. `rollout` is the one that owns the placement. `stuck_because` is
    set where it cannot be brought to its arrangement; it is tried again and never called done.
    """

    id: PlacementId
    service: ServiceName
    environment: EnvironmentName
    port: int
    generation: Generation = Generation(0)
    arrangement: Arrangement = Arrangement()
    reached_at: datetime | None = None
    rollout: RolloutId | None = None
    highest_order: int = 0
    """The order of the newest release that was ever deployed here: only a newer one comes by itself."""

    rollbacks_in_a_row: int = 0
    stuck_because: str | None = None
    checked_at: datetime | None = None
    health: str = "empty"
    wake_at: datetime | None = None
    floor: PlacementFloor | None = None

    @property
    def serving(self) -> DeploymentId | None:
        """The deployment with the largest share, None where nothing serves."""
        return next(iter(self.arrangement.serving), None)
