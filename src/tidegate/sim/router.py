"""A simulated router: it confirms after a while, keeps generations, and knows what is in flight."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, ObservedRouting, Routing
from tidegate.model.share import NONE
from tidegate.routers.router import RouterRefused
from tidegate.sim.clock import SimulatedClock


@dataclass(slots=True)
class Held:
    """What the router holds of a placement: what it was told last, and what it serves by now."""

    generation: Generation
    told: Routing
    confirms_at: datetime
    serves: Routing | None = None
    confirmed_at: datetime | None = None
    serving_generation: Generation = Generation(0)
    """The generation of what it serves."""


@dataclass(slots=True)
class RouterFaults:
    """How the router misbehaves until a time: slow to confirm, or refusing what it is given."""

    slow_until: datetime | None = None
    refuses_until: datetime | None = None


Told = Callable[[Routing, Generation], None]
Changed = Callable[[PlacementId, Routing], None]


class SimulatedRouter:
    """A Router. `on_told` hears each new split that it is told, `on_change` each that it begins to serve."""

    def __init__(self, clock: SimulatedClock, random: Random, on_told: Told, on_change: Changed) -> None:
        self._clock = clock
        self._random = random
        self._on_told = on_told
        self._on_change = on_change
        self._held: dict[PlacementId, Held] = {}
        self._busy: dict[Endpoint, datetime] = {}
        self.faults = RouterFaults()
        self.shown: Callable[[datetime], datetime] = lambda at: at
        """What the clock of its machine, which is the server's, shows at a time."""

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        """Make `routing` the split for new requests; None until that is confirmed."""
        self._clock.pass_by(timedelta(milliseconds=1))
        now = self._clock.now()
        held = self._held.get(routing.placement)
        if held and generation < held.generation:
            raise StaleGeneration(f"{routing.placement} has seen {held.generation}")
        if self.faults.refuses_until and now < self.faults.refuses_until:
            raise RouterRefused("the simulated router takes nothing now")
        if held and generation == held.generation and routing != held.told:
            raise RouterRefused(f"generation {generation} of {routing.placement} asked for another split before")
        if held is None or generation > held.generation:
            self._on_told(routing, generation)
            serves, its = (held.serves, held.serving_generation) if held else (None, Generation(0))
            held = Held(generation, routing, now + self._delay(), serves, serving_generation=its)
            self._held[routing.placement] = held
        self.settle()
        if held.confirmed_at is None:
            return None
        return ObservedRouting(held.generation, self.shown(held.confirmed_at))

    def held(self, placement: PlacementId) -> Held | None:
        """All that it holds of a placement."""
        self.settle()
        return self._held.get(placement)

    def shares(self, placement: PlacementId) -> Routing | None:
        """The split that is served."""
        self.settle()
        held = self._held.get(placement)
        return held.serves if held else None

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        """Whether nothing is in flight to these endpoints any more."""
        self._clock.pass_by(timedelta(milliseconds=1))
        self.settle()
        return not any(self.is_busy(endpoint) for endpoint in endpoints)

    def see_higher_generations(self) -> None:
        """Let it have seen more than the rows know, as after these were restored from a copy."""
        for held in self._held.values():
            held.generation = Generation(held.generation + 2)

    def settle(self) -> None:
        """Let everything that is confirmed by now be served."""
        for placement, held in self._held.items():
            if held.confirmed_at is None and held.confirms_at <= self._clock.now():
                before, held.serves, held.confirmed_at = held.serves, held.told, held.confirms_at
                held.serving_generation = held.generation
                self._note_leaving(before, held.serves)
                self._on_change(placement, held.serves)

    def is_busy(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint gets requests, or has some in flight."""
        return self.gets_traffic(endpoint) or self._busy.get(endpoint, self._clock.now()) > self._clock.now()

    def gets_traffic(self, endpoint: Endpoint) -> bool:
        """Whether new requests go to an endpoint."""
        return any(endpoint in _with_traffic(held.serves) for held in self._held.values() if held.serves)

    def _delay(self) -> timedelta:
        if self.faults.slow_until and self._clock.now() < self.faults.slow_until:
            return timedelta(seconds=round(self._random.uniform(2, 20), 3))
        return timedelta(milliseconds=self._random.choice((0, 2, 5, 30)))

    def _note_leaving(self, before: Routing | None, after: Routing) -> None:
        if before is None:
            return
        for endpoint in sorted(_with_traffic(before) - _with_traffic(after), key=str):
            long = self._random.random() < 0.1
            self._busy[endpoint] = self._clock.now() + timedelta(seconds=self._random.uniform(0, 40 if long else 2))


def _with_traffic(routing: Routing) -> set[Endpoint]:
    return {endpoint for route in routing.routes if route.share > NONE for endpoint in route.endpoints}


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets which share of a placement's traffic, as fractions."""

    fractions: dict[DeploymentId, float] = field(default_factory=dict)

    @classmethod
    def of(cls, routing: Routing | None) -> Split:
        """The split of a routing; nothing where there is none."""
        if routing is None:
            return cls()
        return cls({route.deployment: route.share.fraction for route in routing.routes if route.share > NONE})
