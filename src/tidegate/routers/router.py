"""The seam between the engine and what splits the traffic."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, ObservedRouting, Routing


class RouterRefused(Exception):
    """The router did not take what it was given; the message says what and why."""


class Router(Protocol):
    """Splits placements' traffic between deployments."""

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        """Make `routing` the split for new requests; requests in flight end where they began.

        Returns what is confirmed, or None where the router has not confirmed it within a second (call again; the
        same generation again is no change). Raises model.generation.StaleGeneration, or RouterRefused.
        """

    def shares(self, placement: PlacementId) -> Routing | None:
        """The split that the router holds, None where it knows nothing of the placement."""

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        """Whether no request is in flight to these endpoints, which get no new ones any more."""
