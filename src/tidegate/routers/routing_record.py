"""What a router keeps of a placement, and how it moves from one routing to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tidegate.model.dead_man import Fallback
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.share import NONE, Share
from tidegate.routers import fallback_json
from tidegate.routers.router import RouterRefused


class Phase(StrEnum):
    """How far a router is on the way to what is wanted; each is confirmed before the next begins."""

    ADDING = "adding"
    """What is new is made known, beside what serves."""
    ROUTING = "routing"
    """New requests are sent where they are wanted."""
    SETTLED = "settled"
    """What is not wanted any more is forgotten."""


@dataclass(frozen=True, slots=True)
class InstanceSet:
    """The instances of a deployment that get its requests together. Other instances make another set: one that gets
    no requests any more can then be watched until the last of them has ended."""

    deployment: DeploymentId
    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        """`<deployment>~<8 digits of the endpoints' hash>`."""
        said = ",".join(str(endpoint) for endpoint in self.endpoints)
        return f"{self.deployment}~{hashlib.sha256(said.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class RoutingRecord:
    """The routing that is wanted, the one that new requests go by, and how far the way between them is gone.

    `sets` may get requests; `left` get none any more, but may have some to finish.
    """

    generation: Generation
    wanted: Routing
    phase: Phase = Phase.ADDING
    serving: Routing | None = None
    serving_generation: Generation = Generation(0)
    confirmed_at: datetime | None = None
    sets: tuple[InstanceSet, ...] = ()
    left: tuple[InstanceSet, ...] = ()
    fallback: Fallback | None = None
    """Set where this generation is the dead man's."""

    @property
    def placement(self) -> PlacementId:
        return self.wanted.placement

    def gets_requests(self, deployment: DeploymentId, endpoint: Endpoint) -> bool:
        """Whether a new request may be sent to the endpoint."""
        routes = [route for routing in (self.wanted, self.serving) if routing for route in routing.routes]
        routed = any(route.deployment == deployment and route.share != NONE for route in routes)
        return routed and any(one.deployment == deployment and endpoint in one.endpoints for one in self.sets)

    def advanced(self, now: datetime, idle: Collection[str] = ()) -> RoutingRecord:
        """The record once the router was seen to do what its phase asks.

        `idle` names sets without a request in flight; those that left in an earlier move are then forgotten.
        """
        match self.phase:
            case Phase.ADDING:
                return replace(self, phase=Phase.ROUTING, serving=self.wanted, serving_generation=self.generation)
            case Phase.ROUTING:
                stay = sets_of(self.wanted)
                wanted = {route.deployment for route in self.wanted.routes}
                finishing = [one for one in self.left if one.name not in idle]
                left = [one for one in (*finishing, *self.sets) if one.deployment in wanted and one not in stay]
                return replace(self, phase=Phase.SETTLED, confirmed_at=now, sets=stay, left=tuple(dict.fromkeys(left)))
            case Phase.SETTLED:
                return self

    def to_json(self) -> str:
        """The record as text that `from_json` reads; equal records give equal text."""
        fields = asdict(self) | {"confirmed_at": self.confirmed_at.isoformat() if self.confirmed_at else None}
        fields["fallback"] = fallback_json.to_fields(self.fallback) if self.fallback else None
        return json.dumps(fields, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RoutingRecord:
        """The record that `to_json` wrote. Raises ValueError, KeyError or TypeError for other text."""
        fields = json.loads(text)
        confirmed_at = fields["confirmed_at"]
        return cls(
            generation=Generation(fields["generation"]),
            wanted=routing_of(fields["wanted"]),
            phase=Phase(fields["phase"]),
            serving=routing_of(fields["serving"]) if fields["serving"] else None,
            serving_generation=Generation(fields["serving_generation"]),
            confirmed_at=datetime.fromisoformat(confirmed_at) if confirmed_at else None,
            sets=_sets(fields["sets"]),
            left=_sets(fields["left"]),
            fallback=fallback_json.from_fields(fields["fallback"]) if fields.get("fallback") else None,
        )


def begin(record: RoutingRecord | None, routing: Routing, generation: Generation) -> RoutingRecord:
    """The record with which `routing` is on its way; the same one where it already is.

    Raises StaleGeneration where a higher generation was here, RouterRefused where this one asked for something else.
    """
    if record is None:
        return RoutingRecord(generation, routing, sets=sets_of(routing))
    if generation < record.generation:
        raise StaleGeneration(
            f"the router holds generation {record.generation} of {routing.placement}, so {generation} is late"
        )
    if generation == record.generation:
        if record.wanted != routing:
            raise RouterRefused(
                f"generation {generation} of {routing.placement} asked for another split before; "
                "a new split needs a higher generation"
            )
        return record
    sets = tuple(dict.fromkeys((*record.sets, *sets_of(routing))))
    return replace(
        record,
        generation=generation,
        wanted=routing,
        phase=Phase.ADDING,
        confirmed_at=None,
        sets=sets,
        left=tuple(one for one in record.left if one not in sets),
        fallback=None,
    )


def set_of(route: Route) -> InstanceSet:
    """The instances that get a route's requests."""
    return InstanceSet(route.deployment, route.endpoints)


def sets_of(routing: Routing) -> tuple[InstanceSet, ...]:
    """The instance sets that a routing names."""
    return tuple(set_of(route) for route in routing.routes if route.endpoints)


def routing_of(fields: Mapping[str, Any]) -> Routing:
    """The routing that `asdict` made these fields of. Raises KeyError or TypeError for others."""
    return Routing(
        placement=PlacementId(fields["placement"]),
        port=fields["port"],
        routes=tuple(
            Route(DeploymentId(one["deployment"]), Share(**one["share"]), _endpoints(one["endpoints"]))
            for one in fields["routes"]
        ),
    )


def _sets(fields: list[dict[str, Any]]) -> tuple[InstanceSet, ...]:
    return tuple(InstanceSet(DeploymentId(one["deployment"]), _endpoints(one["endpoints"])) for one in fields)


def _endpoints(fields: list[dict[str, Any]]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(**one) for one in fields)
