"""Worlds in which rollbacks are practised while everything else goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tidegate.engine.refusal import Refused
from tidegate.sim.shop import PRODUCTION, SimulatedService

IN_SO_MANY = 0.25
"""The part of all worlds in which there are any."""

_HOW_OFTEN = 0.4


@dataclass(frozen=True, slots=True)
class Drills:
    """What one seed draws of it, from numbers of its own: other worlds stay what they were."""

    random: Random

    @classmethod
    def of(cls, seed: int) -> Drills | None:
        """Those of one world in four."""
        # drawn so that the seeds that found something are not among those
        random = Random(seed + 20568)
        return cls(random) if random.random() < IN_SO_MANY else None

    def do_something(self, services: Sequence[SimulatedService]) -> None:
        """Somebody begins a drill, now and then, or is told that it cannot be done."""
        if self.random.random() < _HOW_OFTEN:
            self.begin_one(services)

    def begin_one(self, services: Sequence[SimulatedService]) -> bool:
        """Somebody begins a drill, or is told that it cannot be done; whether it began."""
        service = self.random.choice(services)
        if not service.is_known:
            return False
        with suppress(Refused):
            service.drill(self.random.choice((PRODUCTION, PRODUCTION, "staging")))
            return True
        return False
