"""Those who freeze and thaw, break the glass and take their word back; they draw for themselves, from the same seed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from random import Random

from tidegate.engine.freezes import WantedFreeze
from tidegate.engine.refusal import Refused
from tidegate.sim.clock import BEGINNING
from tidegate.sim.people import People
from tidegate.sim.shape import Shape
from tidegate.sim.shop import ANNA, BEN, PRODUCTION, SimulatedService
from tidegate.sim.world import World

IN_SO_MANY = 0.3
"""The part of all worlds in which there are any: the others are as they were before there were wardens."""

OPEN_AT_LAST = timedelta(minutes=6)
"""After the beginning, every window is open."""

HOURS = (
    ("09:00-09:01", "09:06-23:59"),
    ("09:01-09:03", "09:06-23:59"),
    ("09:02-23:59",),
)


class Wardens:
    """The wardens of one world; `None` of them in most."""

    def __init__(self, random: Random, people: People) -> None:
        self._random = random
        self._people = people

    @staticmethod
    def of(seed: int, people: People) -> Wardens | None:
        """Those of the world of a seed."""
        random = Random(f"the wardens of {seed}")
        return Wardens(random, people) if random.random() < IN_SO_MANY else None

    def shaped(self, shape: Shape) -> Shape:
        """The shape, with hours in which its gate opens where they want some."""
        return replace(shape, window=self._random.choice(HOURS)) if self._random.random() < 0.5 else shape

    def do_something(self, service: SimulatedService) -> None:
        """One of them does something, or is told that it cannot be done."""
        runs = service.runs()
        if not runs or not service.is_known:
            return
        run = self._random.choice([one for one in runs if not one.decided()][:3] or runs[:1])
        with suppress(Refused):
            match self._random.randrange(8):
                case 0 | 1:
                    self._freeze(service)
                case 2:
                    service.thaw()
                case 3:
                    self._people.touched.add(run.id)
                    service.break_glass(run, BEN, self._random.choice((None, PRODUCTION)))
                case 4 | 5:
                    service.approve(run, ANNA, PRODUCTION)
                case _:
                    service.withdraw(run, ANNA, PRODUCTION)

    def let_everything_pass(self, world: World, service: SimulatedService) -> None:
        """No freeze and no hours any more."""
        service.thaw()
        last = BEGINNING + OPEN_AT_LAST + timedelta(seconds=1)
        if world.clock.now() < last:
            world.advance(last - world.clock.now())

    def _freeze(self, service: SimulatedService) -> None:
        begins = service.world.server_clock.now() + timedelta(seconds=self._random.choice((0, 0, 5, 20)))
        service.freeze(
            WantedFreeze(
                environment=self._random.choice((PRODUCTION, PRODUCTION, "staging")),
                begins=begins,
                ends=begins + timedelta(seconds=self._random.choice((5, 20, 60, 200))),
                reason="the sale",
                service=self._random.choice((None, service.name)),
            )
        )
