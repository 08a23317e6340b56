"""Figures: what a router or a metrics source counted for each deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import DeploymentId, Generation


@dataclass(frozen=True, slots=True)
class Counters:
    """Cumulative counts of one deployment since its counters were last at zero.

    `latency` holds one count per bucket: `edges[i]` is the upper edge of bucket i in milliseconds, and the last
    place (one more than there are edges) is the overflow.
    """

    requests: int
    errors: int
    edges: tuple[float, ...] = ()
    latency: tuple[int, ...] = ()
    routed: int = 0
    """Requests that were sent towards the deployment, finished or not."""

    def since(self, before: Counters) -> Counters | None:
        """What was counted after `before`; None where a counter went backwards (a restart), which is no data."""
        if self.requests < before.requests or self.errors < before.errors:
            return None
        if before.latency and (
            self.edges != before.edges
            or any(now < then for now, then in zip(self.latency, before.latency, strict=True))
        ):
            return None
        earlier = before.latency or (0,) * len(self.latency)
        return Counters(
            requests=self.requests - before.requests,
            errors=self.errors - before.errors,
            edges=self.edges,
            latency=tuple(now - then for now, then in zip(self.latency, earlier, strict=True)),
            routed=max(0, self.routed - before.routed),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters of a placement at one moment, taken while `generation`'s shares were confirmed."""

    at: datetime
    generation: Generation
    deployments: Mapping[DeploymentId, Counters]


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened between two snapshots, at one unchanged split of the traffic.

    None for a side says that there is no data of it; `step` is the rollout's step at that time.
    """

    begin: datetime
    end: datetime
    step: int
    canary: Counters | None
    baseline: Counters | None
