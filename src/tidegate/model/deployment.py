"""A deployment: a release with a resolved configuration in an environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import Commit, DeploymentId, EnvironmentName, PlacementId, ReleaseId
from tidegate.model.installation import Endpoint
from tidegate.model.pipeline import Runtime


@dataclass(frozen=True, slots=True)
class Deployment:
    """The unit that targets install, routers weigh, metrics count and rollbacks return to.

    `present` says that a target may hold something of it; `installed` is the number of instances that were seen ready
    and that nobody has asked to stop since, `endpoints` where they answer; `warm_until` how long it stays whole without
    traffic. `proven_at` says when it passed verification; only a proven one is returned to. `quarantined_because` says
    why nothing automatic brings it back.
    """

    id: DeploymentId
    placement: PlacementId
    release: ReleaseId
    commit: Commit
    order: int
    runtime: Runtime
    created_at: datetime
    ports: tuple[int, ...] = ()
    present: bool = False
    installed: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    warm_until: datetime | None = None
    proven_at: datetime | None = None
    served_at: datetime | None = None
    quarantined_at: datetime | None = None
    quarantined_because: str | None = None
    detail: str = ""

    @property
    def is_quarantined(self) -> bool:
        """Whether nothing automatic may deploy it."""
        return self.quarantined_at is not None

    def endpoints_of(self, instances: int) -> tuple[Endpoint, ...]:
        """Where its first so many instances answer; each has the reserved port of its index."""
        leaving = self.ports[instances:]
        return tuple(one for one in self.endpoints if one.port not in leaving)

    @property
    def label(self) -> str:
        """How people call it: the commit's first eight digits."""
        return self.commit[:8]


def deployment_id(environment: EnvironmentName, release: ReleaseId, config_hash: str) -> DeploymentId:
    """The id of a release with a configuration (its hash in hexadecimal) in an environment."""
    return DeploymentId(f"{environment}-{release}-{config_hash[:8]}".lower())
