"""What a target is asked to install, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.ids import Commit, DeploymentId, Digest, EnvironmentName, PlacementId, ReleaseId, ServiceName
from tidegate.model.pipeline import Runtime
from tidegate.model.share import WHOLE_PARTS, Share


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an instance answers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class InstanceState(StrEnum):
    """How an instance is."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a deployment; `restarts` counts how often it ended by itself and was started again.

    `port_taken` says that somebody else listens on its port: another one may help.
    """

    index: int
    endpoint: Endpoint
    state: InstanceState
    restarts: int = 0
    detail: str = ""
    port_taken: bool = False


class InstallationState(StrEnum):
    """How far a target is with a deployment."""

    ABSENT = "absent"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    """Instances that are not desired any more have been asked to end, and some still run."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Installation:
    """What a target observed of one deployment.

    READY means that exactly the desired instances run and all of them are healthy. FAILED means that waiting cannot
    help (prepare failed, the command does not exist, a crash loop); `detail` says why and where to read on.
    """

    state: InstallationState
    instances: tuple[Instance, ...] = ()
    detail: str = ""

    @property
    def healthy(self) -> tuple[Endpoint, ...]:
        """The endpoints of healthy instances, in order of their index."""
        return tuple(one.endpoint for one in self.instances if one.state is InstanceState.HEALTHY)


@dataclass(frozen=True, slots=True)
class DesiredInstallation:
    """What should be installed: `instances` copies of a deployment; 0 removes it wholly.

    `ports` reserves one port per possible instance index; `artifacts` maps a file's name to its digest;
    `env` is complete but for PORT; `secrets` are values, kept out of every log and process list.
    """

    deployment: DeploymentId
    placement: PlacementId
    service: ServiceName
    environment: EnvironmentName
    release: ReleaseId
    commit: Commit
    runtime: Runtime
    instances: int
    ports: tuple[int, ...]
    artifacts: Mapping[str, Digest]
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    source: str | None = None
    """A git repository to check `commit` out of, where the runtime names no artifact."""

    path: str = "."
    """The service's folder in that repository, in which its commands run."""


@dataclass(frozen=True, slots=True)
class Route:
    """A deployment's part in a placement's traffic and the instances that may receive it."""

    deployment: DeploymentId
    share: Share
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """The whole split of a placement's traffic. The shares add up to the whole, or to nothing where nothing serves:
    then every request is answered 503, and deployments that are still named only finish what they have begun."""

    placement: PlacementId
    port: int
    routes: tuple[Route, ...]

    def __post_init__(self) -> None:
        if sum(route.share.parts for route in self.routes) not in (0, WHOLE_PARTS):
            raise ValueError(f"the shares of {self.placement} add up neither to 100% nor to nothing")


@dataclass(frozen=True, slots=True)
class ObservedRouting:
    """What the router holds of a placement; `confirmed_at` is when it was first seen to serve exactly that."""

    generation: int
    confirmed_at: datetime
