"""What files and the server demand in some worlds, the address that gates ask there, and a clock that is set back.

They draw for themselves, from the same seed: the worlds without any are as they were before there were demands.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from random import Random

from tidegate.engine.refusal import Refused
from tidegate.sim.demand import NOTHING, POLICIES, SECRET, Demand, SimulatedPolicy
from tidegate.sim.people import People
from tidegate.sim.shape import Shape
from tidegate.sim.shop import ANNA, BEN, PRODUCTION, SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.ticket_office import KEY
from tidegate.sim.version import Version
from tidegate.sim.world import World

IN_SO_MANY = 0.3
"""The part of all worlds in which anything is demanded."""

ANSWERS_WITHIN = ("10s", "30s", "2m")
SET_BACK_BY = (timedelta(minutes=5), timedelta(minutes=40), timedelta(hours=3))


class Demands:
    """The demands of one world; `None` of them in most. `floor` is the server's."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.floor = NOTHING
        if random.random() < 0.6:
            self.floor = Demand(
                policy=self._policy(0.4),
                asks=self._within(0.3),
                approvals=random.choice((0, 0, 1, 2)),
                staging_first=random.random() < 0.3,
                never_automatic=random.random() < 0.2,
            )
        self._floor_comes_later = random.random() < 0.5
        self._changes_the_clock = random.random() < 0.5

    @staticmethod
    def of(seed: int) -> Demands | None:
        """Those of the world of a seed."""
        random = Random(f"the auditors of world {seed}")
        return Demands(random) if random.random() < IN_SO_MANY else None

    def begin(self, world: World, services: Sequence[SimulatedService]) -> None:
        """The server and the address know the same key. In half of these worlds the floor is there already."""
        if not self._floor_comes_later:
            self._configure(world)
        for service in services:
            service.set_secret(SECRET, KEY)

    def shaped(self, shape: Shape) -> Shape:
        """The shape, with what its file demands in half of all cases."""
        if self._random.random() < 0.5:
            return shape
        return replace(shape, demand=Demand(policy=self._policy(0.6), asks=self._within(0.5)))

    def reported_by(self, version: Version) -> None:
        """Let the version's build report something, or nothing."""
        version.line_coverage = self._random.choice((None, 62.5, 90.0, 90.0))
        version.failed_tests = self._random.choice((None, 0, 0, 1))

    def do_something(self, world: World, people: People, services: Sequence[SimulatedService]) -> None:
        """The clock is set back or right, somebody has asked again, the floor comes, or nothing happens."""
        if self._floor_comes_later and self._random.random() < 0.5:
            self._floor_comes_later = False
            self._configure(world)
        if self._changes_the_clock and self._random.random() < 0.35:
            behind = timedelta(0) if world.server_clock.behind else self._random.choice(SET_BACK_BY)
            self.set_clock(world, people, services, behind)
        service = self._random.choice(services)
        if not service.is_known or not (runs := service.runs()):
            return
        if world.server_clock.behind and self._random.random() < 0.5:
            self._approve(service, runs[0])
        if self._random.random() < 0.2:
            with suppress(Refused):
                service.ask_again(self._random.choice(runs[:2]), self._random.choice((ANNA, BEN)))

    def _approve(self, service: SimulatedService, run: SimulatedRun) -> None:
        """What is left at the gate is what the clock shows."""
        for person in (ANNA, BEN):
            with suppress(Refused):
                service.approve(run, person, PRODUCTION)

    def set_clock(self, world: World, people: People, services: Sequence[SimulatedService], behind: timedelta) -> None:
        """Let the server's clock be so far behind. What becomes of runs whose time is over at once is its doing."""
        if world.server_clock.behind != behind:
            for service in services:
                people.touch_all(service)
            world.server_clock.set_behind(behind)

    def _configure(self, world: World) -> None:
        if self.floor != NOTHING:
            world.configure(self.floor)

    def _policy(self, chance: float) -> SimulatedPolicy | None:
        if self._random.random() >= chance:
            return None
        return self._random.choice(POLICIES if self._random.random() < 0.3 else POLICIES[:-1])

    def _within(self, chance: float) -> str | None:
        return self._random.choice(ANSWERS_WITHIN) if self._random.random() < chance else None
