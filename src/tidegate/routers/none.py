"""The router of environments in which nothing splits traffic: deployments are reached without one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, ObservedRouting, Routing
from tidegate.model.share import NONE
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import Phase, begin
from tidegate.routers.routing_records import RoutingRecords


class NoRouter:
    """Notes in `folder` which deployment a placement has, and refuses to split between two."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._records = RoutingRecords(folder)
        self._now = now

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        """As `Router.set_shares`; confirmed at once. Raises RouterRefused for a share between 0% and 100%."""
        if sum(route.share != NONE for route in routing.routes) > 1:
            raise RouterRefused(
                f"the traffic of {routing.placement} cannot be split, because its environment has no router; "
                "use strategy: blue-green, or give the environment router: envoy"
            )
        with self._records.one_at_a_time(routing.placement):
            former = self._records.read(routing.placement)
            record = begin(former, routing, generation)
            while record.phase is not Phase.SETTLED:
                record = record.advanced(self._now())
            if record != former:
                self._records.write(record)
        assert record.confirmed_at is not None
        return ObservedRouting(record.generation, record.confirmed_at)

    def shares(self, placement: PlacementId) -> Routing | None:
        """As `Router.shares`."""
        record = self._records.read(placement)
        return record.serving if record else None

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        """Always: what is in flight is not seen here, and has the deployment's `stop_grace` to end."""
        return True
