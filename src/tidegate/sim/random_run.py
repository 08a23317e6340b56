"""One random run of the simulated world: everything in it follows from its seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from tidegate.judge.judge import Judge
from tidegate.model.ids import RunId
from tidegate.sim.blindness import Blindness
from tidegate.sim.broken import RuleBroken
from tidegate.sim.demands import Demands
from tidegate.sim.drawing import RATES, draw_behaviour, draw_chances, draw_shape
from tidegate.sim.drills import Drills
from tidegate.sim.drops import Drops
from tidegate.sim.ending import check_ending
from tidegate.sim.expectations import check_expectations
from tidegate.sim.incident_rules import PEACE
from tidegate.sim.own_metrics import OwnMetrics
from tidegate.sim.people import People
from tidegate.sim.proofs import Proofs
from tidegate.sim.rehearsed import RehearsedFaults
from tidegate.sim.rest import is_at_rest, why_restless
from tidegate.sim.shape import Shape
from tidegate.sim.shop import SimulatedService
from tidegate.sim.wardens import Wardens
from tidegate.sim.world import UPKEEP_EVERY, World, WorldStuck
from tidegate.store import incident_queries, queries

REST_AT_MOST = timedelta(hours=1)
WAITS_AT_MOST = 12
"""So often somebody does what is waited for, before a run counts as one that never ends."""

INCIDENTS_END_WITHIN = PEACE + 3 * UPKEEP_EVERY
"""What serves is looked at now and then, and may be found in good health a while after it was."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a random run ended: `failure` says which rule broke and how the world stood, None where all held.

    `fingerprint` is the hash of the last event, which holds all events before it: equal ones mean equal histories.
    """

    seed: int
    runs: int
    crashes: int
    statuses: tuple[str, ...]
    fingerprint: str
    failure: str | None = None


def simulate(seed: int, watch: Callable[[World], None] | None = None, judge: Judge | None = None) -> Outcome:
    """Play one random run. `watch` is given the world before anything happens in it."""
    random = Random(seed)
    demands = Demands.of(seed)
    world = World(seed, draw_chances(random), judge)
    if watch:
        watch(world)
    failure = None
    try:
        _RandomRun(seed, random, world, demands).play()
    except (RuleBroken, WorldStuck) as error:
        failure = f"{error}\n{world.describe()}"
    except Exception as error:  # a fault of the engine is a finding like any other
        failure = f"{type(error).__name__}: {error}\n{world.describe()}"
    return _outcome(seed, world, failure)


def _outcome(seed: int, world: World, failure: str | None) -> Outcome:
    with world.database.reading() as connection:
        runs = queries.newest_runs(connection, limit=1000)
    statuses = tuple(sorted(one.status.value for one in runs))
    fingerprint = world.rules.seen[-1].hash if world.rules.seen else ""
    return Outcome(seed, len(runs), len(world.points.crashed_at), statuses, fingerprint, failure)


class _RandomRun:
    def __init__(self, seed: int, random: Random, world: World, demands: Demands | None) -> None:
        self._random = random
        self._demands = demands
        self._world = world
        self._people = People(random)
        self._wardens = Wardens.of(seed, self._people)
        self._drops, self._drills = Drops.of(seed), Drills.of(seed)
        self._blindness = Blindness.of(seed)
        self._rehearsed = RehearsedFaults.of(seed)
        self._proofs = Proofs.of(seed)
        self._own = OwnMetrics.of(seed)
        self._rate = random.choice(RATES)
        names = ("shop", "mail") if random.random() < 0.1 else ("shop",)
        self._services = [SimulatedService(world, name, self._shape(), self._rate) for name in names]
        self._versions = 0
        self._crowded = random.random() < 0.5
        self._faulty = world.chances.crash_chance > 0 or random.random() < 0.3

    def play(self) -> None:
        if self._demands:
            self._demands.begin(self._world, self._services)
        if self._blindness:
            self._blindness.begin(self._world)
        self._world.points.arm()
        for _ in range(self._random.randint(2, 4)):
            self._push()
            self._let_things_happen()
        if self._demands:
            self._demands.set_clock(self._world, self._people, self._services, timedelta(0))
        self._world.heal()
        if self._wardens:
            self._wardens.let_everything_pass(self._world, self._services[0])
        self._come_to_rest()
        if self._drills and self._drills.begin_one(self._services):
            self._come_to_rest()
        check_ending(self._world)
        self._people.touched |= {RunId(one.run) for one in self._world.office.asked.values() if one.is_no}
        check_expectations(self._world, self._people, self._rate)
        self._let_incidents_end()

    def _push(self) -> None:
        service = self._random.choice(self._services)
        self._versions += 1
        version = self._world.version(f"v{self._versions}")
        if self._versions > 1 or self._random.random() < 0.3:
            draw_behaviour(self._random, version)
        if self._rehearsed and self._versions > 1:
            self._rehearsed.put_into(version)
        if self._proofs:
            self._proofs.put_into(version)
        if self._own:
            self._own.put_into(version)
        if self._demands:
            self._demands.reported_by(version)
        service.push(version, self._shape() if self._random.random() < 0.2 else None)

    def _shape(self) -> Shape:
        shape = draw_shape(self._random)
        shape = self._drops.shaped(shape) if self._drops else shape
        shape = self._proofs.shaped(shape) if self._proofs else shape
        shape = self._own.shaped(shape) if self._own else shape
        shape = self._blindness.shaped(shape) if self._blindness else shape
        shape = self._demands.shaped(shape) if self._demands else shape
        return self._wardens.shaped(shape) if self._wardens else shape

    def _let_things_happen(self) -> None:
        """Time until the next push, with people and faults in between."""
        for _ in range(self._random.randint(1, 5)):
            self._world.advance(timedelta(seconds=self._random.choice((0.5, 3, 10, 30))))
            if self._crowded and self._random.random() < 0.6:
                self._people.do_something(self._random.choice(self._services))
            if self._wardens:
                self._wardens.do_something(self._services[0])
            if self._blindness:
                self._blindness.do_something(self._world)
            if self._demands:
                self._demands.do_something(self._world, self._people, self._services)
            if self._drills:
                self._drills.do_something(self._services)
            if self._own:
                self._own.do_something(self._world)
            if self._rehearsed:
                self._rehearsed.do_something(self._world)
            if self._faulty and self._random.random() < 0.4:
                self._harm()

    def _harm(self) -> None:
        world = self._world
        until = world.clock.now() + timedelta(seconds=self._random.choice((1, 10, 60)))
        match self._random.randrange(10):
            case 0:
                world.target.away_until = until
            case 1:
                world.router.faults.slow_until = until
            case 2:
                world.router.faults.refuses_until = until
            case 3:
                world.traffic.silent_until = until
            case 4:
                world.target.lose_an_instance()
            case 5:
                world.traffic.reset_one(self._random)
            case 6:
                world.target.squatters = self._random.randint(1, 3)
            case 7:
                world.target.see_higher_generations()
                world.router.see_higher_generations()
            case _:
                world.kill_the_server()

    def _let_incidents_end(self) -> None:
        """Wait for as long as the open ones need, and see that those end that can."""
        with self._world.database.reading() as connection:
            if not incident_queries.incidents(connection, open_only=True):
                return
        self._world.advance(INCIDENTS_END_WITHIN)
        self._world.rules.check_incidents()

    def _come_to_rest(self) -> None:
        """Wait until nothing moves; in most worlds people do what they are waited for, as long as there is any."""
        dutiful = self._random.random() < 0.8
        for _ in range(WAITS_AT_MOST):
            self._rest()
            waited = [dutiful and self._people.end_every_wait(service) for service in self._services]
            if not any(waited):
                return
        raise RuleBroken("everything ends", f"people were asked {WAITS_AT_MOST} times, and are asked again")

    def _rest(self) -> None:
        """Wait until nothing moves, and nothing new happens for longer than between two sweeps."""
        world, so_far = self._world, -1
        give_up_at = world.clock.now() + REST_AT_MOST
        while so_far < len(world.rules.seen) and world.clock.now() < give_up_at:
            so_far = len(world.rules.seen)
            world.advance(UPKEEP_EVERY * 1.1)
            try:
                world.advance(until=lambda: is_at_rest(world), at_most=REST_AT_MOST)
            except WorldStuck:
                raise RuleBroken("everything ends or waits for a person", why_restless(world)) from None
