"""The simulated world: the real engine and store among a simulated clock, target, router, users, agent and people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from tidegate.config import server_yaml
from tidegate.engine.asking import Asker
from tidegate.engine.leasing import Leasing
from tidegate.engine.parts import Parts, Settings
from tidegate.engine.refusal import Refused
from tidegate.integrations.asking import NotTaken
from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Judge
from tidegate.judge.live_methods import MethodJudge
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.event import RecordedEvent
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import Commit, DeploymentId, EnvironmentName, Generation, PlacementId, ServiceName
from tidegate.model.installation import Endpoint, Routing
from tidegate.model.lease import Lease, StepOutcome, TestReport
from tidegate.model.load import LoadPlan, LoadReport, LoadStep
from tidegate.model.recurrence import Recurrence
from tidegate.model.step_run import BUILD
from tidegate.model.train import Train
from tidegate.routers.router import RouterRefused
from tidegate.sim.agenda import Agenda
from tidegate.sim.agent import AgentFaults, Result, SimulatedAgent
from tidegate.sim.broken import RuleBroken
from tidegate.sim.clock import BEGINNING, ServerClock, SimulatedClock
from tidegate.sim.crash import (
    Crashed,
    CrashingDatabase,
    CrashingDeadMan,
    CrashingFigures,
    CrashingMetrics,
    CrashingOutside,
    CrashingRouter,
    CrashingTarget,
    CrashPoints,
)
from tidegate.sim.dead_man import SimulatedDeadMan
from tidegate.sim.demand import NOTHING, Demand, server_text
from tidegate.sim.memory import fresh_database
from tidegate.sim.own_figures import OwnFigures
from tidegate.sim.queue import HintFaults
from tidegate.sim.router import SimulatedRouter, Split
from tidegate.sim.rules import Rules
from tidegate.sim.server import CountedIds, CountedPorts, OneSource, PlainSecrets, SimulatedServer
from tidegate.sim.target import SimulatedTarget
from tidegate.sim.ticket_office import TicketOffice
from tidegate.sim.traffic import SimulatedTraffic
from tidegate.sim.version import Version
from tidegate.store import queries
from tidegate.targets.target import TargetAway

SETTINGS = Settings(
    batch=timedelta(seconds=10),
    install_poll=timedelta(seconds=2),
    route_poll=timedelta(seconds=1),
    drain_poll=timedelta(seconds=2),
    failure_pause=timedelta(seconds=5),
)
UPKEEP_EVERY = timedelta(seconds=30)
STEPS_A_SECOND_AT_MOST = 2000
"""More simulated steps within a second of simulated time than anything but a loop without an end takes."""


class WorldStuck(Exception):
    """What was waited for did not come; the message says how the world stands."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How hostile the world is; without a word it is friendly."""

    hints: HintFaults = HintFaults()
    agent: AgentFaults = AgentFaults()
    crash_at: int | None = None
    crash_chance: float = 0.0
    crashes_at_most: int = 0
    down_at_most_seconds: float = 60.0


class World:
    """One simulated world. The same seed and the same calls give the same history, event by event.

    There is one at a time in a process: the next one takes its database.
    """

    def __init__(
        self,
        seed: int,
        chances: Chances = Chances(),
        judge: Judge | None = None,
    ) -> None:
        self.random = Random(seed)
        self.clock = SimulatedClock()
        self.server_clock = ServerClock(self.clock)
        self.agenda = Agenda()
        self.chances = chances
        self.points = CrashPoints(
            Random(seed + 1), at=chances.crash_at, chance=chances.crash_chance, at_most=chances.crashes_at_most
        )
        self.points.on_the_way = self._arrive_late
        self.database = fresh_database()
        self.protected = {name: one.protected for name, one in DEFAULT_ENVIRONMENTS.items()}
        self.floor = NOTHING
        self.files: dict[tuple[ServiceName, Commit], Demand] = {}
        self.office = TicketOffice(self.clock, self.server_clock, Random(seed + 5), self.agenda, self._asker)
        self.versions: dict[Commit, Version] = {}
        self.trains: dict[str, Train] = {}
        self.windows: dict[tuple[ServiceName, Commit], Sequence[str]] = {}
        self.traffic = SimulatedTraffic(self.clock, seed, self._version_of)
        self.own = OwnFigures(self.clock, self.server_clock, self.traffic)
        self.router = SimulatedRouter(self.clock, Random(seed + 2), self._on_told, self._on_split)
        self.router.shown = self.server_clock.shown
        self.target = SimulatedTarget(self.clock, Random(seed + 3), self.versions.__getitem__, self._on_stop)
        self.dead_man = SimulatedDeadMan(self.clock, Random(seed + 6), self.agenda, self.router, self.traffic)
        self.dead_man.shown = self.server_clock.shown
        self.rules = Rules(self.database, self)
        self.agent = SimulatedAgent(
            self.clock, Random(seed + 4), self.agenda, self._leasing, self._result, chances.agent
        )
        # half of the agents are older; drawn so that the seeds that found something are among those
        self.agent.knows_promises = Random(seed + 75).random() < 0.5
        self.parts = self._parts(judge or MethodJudge(ComparisonJudge()))
        self.server: SimulatedServer | None = None
        self.listeners: list[Callable[[RecordedEvent], None]] = []
        self.crash_listeners: list[Callable[[str], None]] = []
        """Each hears where the server ended."""

        self._commits_checked = -1
        self._events_told = 0
        self._steps = (0, 0)
        self._down_since: datetime | None = None
        self._start()
        self.agent.begin()
        self.agenda.plan(self.clock.now() + UPKEEP_EVERY, self._upkeep)

    @property
    def seconds(self) -> float:
        """How much time passed in it."""
        return (self.clock.now() - BEGINNING).total_seconds()

    def version(self, name: str) -> Version:
        """The version of that name, which is newer than all that were named before it."""
        for known in self.versions.values():
            if known.name == name:
                return known
        made = Version(name, order=len(self.versions) + 1)
        self.versions[made.commit] = made
        return made

    def version_of_commit(self, commit: Commit) -> Version:
        """The version that a commit made."""
        return self.versions[commit]

    def advance(
        self, span: timedelta | None = None, until: Callable[[], bool] | None = None, at_most: timedelta | None = None
    ) -> None:
        """Let time pass: a span, or until something is so. Raises WorldStuck where that does not come in time.

        `at_most` is half an hour where it is not given.
        """
        deadline = self.clock.now() + (span or at_most or timedelta(minutes=30))
        asked_after = (-1, False)
        while True:
            if until and (self._commits, self.server is None) != asked_after:
                asked_after = (self._commits, self.server is None)
                if until():
                    return
            next_at = self._next_at()
            if next_at > deadline:
                self.clock.go_to(deadline)
                break
            self._step(next_at)
        if until and not until():
            raise WorldStuck(self.describe())

    def up(self) -> SimulatedServer:
        """The server, waited for where it is down."""
        while self.server is None:
            self._step(self._next_at())
        return self.server

    def surviving(self, act: Callable[[], object]) -> bool:
        """Do something that may crash the server; whether it did not. The rules are checked either way."""
        survived = True
        try:
            act()
        except Crashed as crash:
            survived = False
            self._crash(str(crash))
        except Refused:
            self._check()
            raise
        self._check()
        return survived

    def heal(self) -> None:
        """No more crashes and faults from now on, but for those of the versions themselves."""
        self.points.arm(on=False)
        self.chances = replace(self.chances, hints=HintFaults())
        if self.server:
            self.server.queue.faults = self.chances.hints
        self.agent.faults = AgentFaults()
        self.target.away_until = self.router.faults.slow_until = None
        self.target.squatters = 0
        self.router.faults.refuses_until = self.traffic.silent_until = self.own.silent_until = None

    def describe(self) -> str:
        """How runs and placements stand, for messages."""
        with self.database.reading() as connection:
            runs = queries.newest_runs(connection)
            lines = [f"{self.clock.now():%H:%M:%S}, server {'up' if self.server else 'down'}"]
            for run in runs:
                because = "; ".join(map(str, run.because))
                stages = ", ".join(f"{one.name} {one.state.value}" for one in queries.stages(connection, run.id))
                lines.append(f"run {run.id} {run.status.value} ({stages}): {because}")
            for placement in queries.placements(connection):
                rollout = queries.rollout(connection, placement.rollout)
                lines.append(f"{placement}\n  {rollout}")
                lines += [f"  {one}" for one in queries.effects(connection, placement.id, placement.generation)]
        return "\n".join(lines)

    def _parts(self, judge: Judge) -> Parts:
        return Parts(
            database=CrashingDatabase(self.database, self.points),
            clock=self.server_clock,
            new_id=CountedIds(),
            environments=DEFAULT_ENVIRONMENTS,
            target=CrashingTarget(self.target, self.points),
            router=CrashingRouter(self.router, self.points),
            metrics=CrashingMetrics(self.traffic, self.points),
            judge=judge,
            secrets=PlainSecrets(),
            ports=CountedPorts(),
            sources=OneSource(),
            settings=SETTINGS,
            trains=self.trains,
            dead_man=CrashingDeadMan(self.dead_man, self.points),
        )

    @property
    def _commits(self) -> int:
        database = self.parts.database
        assert isinstance(database, CrashingDatabase)
        return database.commits

    def _next_at(self) -> datetime:
        times = [self.agenda.next_at, self._queue_at]
        return min(at for at in times if at is not None)

    @property
    def _queue_at(self) -> datetime | None:
        """When the server looks next, by the world's time."""
        shown = self.server.queue.next_at if self.server else None
        return self.server_clock.real(shown) if shown else None

    def _step(self, at: datetime) -> None:
        """Let the next thing happen; where the server and the world are due together, chance says who is first."""
        self.clock.go_to(at)
        self._count_step()
        queue_at = self._queue_at
        agenda_at = self.agenda.next_at
        looks = queue_at is not None and queue_at <= at
        if looks and agenda_at is not None and agenda_at <= at:
            looks = self.random.random() < 0.5
        self.surviving(self._look if looks else self.agenda.take())

    def _count_step(self) -> None:
        second = int(self.seconds)
        self._steps = (second, self._steps[1] + 1 if self._steps[0] == second else 1)
        if self._steps[1] > STEPS_A_SECOND_AT_MOST:
            raise RuleBroken("time goes on", f"more than {STEPS_A_SECOND_AT_MOST} steps in the second {second}")

    def _look(self) -> None:
        assert self.server is not None
        self.server.look(self.server.queue.take())

    def _check(self) -> None:
        self.router.settle()
        if self._commits != self._commits_checked:
            self._commits_checked = self._commits
            self.rules.check()
            self._tell()

    def _tell(self) -> None:
        """Let the listeners hear of what was recorded; the rules look at some of it in between."""
        fresh, self._events_told = self.rules.seen[self._events_told :], len(self.rules.seen)
        for event in fresh:
            for listener in self.listeners:
                listener(event)

    def kill_the_server(self, down: timedelta | None = None) -> None:
        """Let the server end now, if it is up, and come back after that time."""
        if self.server:
            self._crash("between two looks", down)

    def configure(self, floor: Demand) -> None:
        """Let the server end, and come back with a configuration that demands this."""
        self.kill_the_server()
        self.floor = floor
        self.parts = replace(self.parts, environments=server_yaml.load(server_text(floor)).environments)

    def schedule_drills(self, environment: EnvironmentName, every: timedelta) -> None:
        """Let the server end, and come back with a configuration by which drills begin there by themselves."""
        self.kill_the_server()
        drilled = replace(self.parts.environment(environment), drills=Recurrence(every=every))
        self.parts = replace(self.parts, environments={**self.parts.environments, environment: drilled})

    def _arrive_late(self, act: Callable[[], object]) -> None:
        """Half of what was on its way when the server ended arrives all the same, a good while later."""
        if self.random.random() < 0.5:
            return

        def arrive() -> None:
            with suppress(StaleGeneration, TargetAway, RouterRefused, NotTaken):
                act()

        self.agenda.plan(self.clock.now() + timedelta(seconds=self.random.uniform(0, 90)), arrive)

    def _crash(self, place: str, down: timedelta | None = None) -> None:
        self.server = None
        self._down_since = self.clock.now()
        for listener in self.crash_listeners:
            listener(place)
        down = down or timedelta(seconds=self.random.uniform(0.5, self.chances.down_at_most_seconds))
        self.agenda.plan(self.clock.now() + down, self._start)

    def _start(self) -> None:
        if self._down_since:
            self.rules.check_blind(self.clock.now() - self._down_since)
        outside, figures = CrashingOutside(self.office, self.points), CrashingFigures(self.own, self.points)
        self.server = SimulatedServer(
            self.parts, self.server_clock, outside, figures, self.random, self.chances.hints, self.agent.wake
        )
        self.server.engine.sweep()

    def _upkeep(self) -> None:
        self.agenda.plan(self.clock.now() + UPKEEP_EVERY, self._upkeep)
        if self.server:
            self.server.upkeep()

    def _leasing(self) -> Leasing | None:
        return self.server.leasing if self.server else None

    def _asker(self) -> Asker | None:
        return self.server.asker if self.server else None

    def _result(self, lease: Lease) -> Result:
        version = self.versions[lease.commit]
        if lease.load:
            return Result(StepOutcome.SUCCEEDED, load=self._loaded(version, lease.load))
        fails = version.build_fails if lease.scope == BUILD else version.tests_fail
        fails = fails or (lease.step.repeat is not None and version.checks_fail)
        outcome = StepOutcome.FAILED if fails else StepOutcome.SUCCEEDED
        if lease.scope != BUILD:
            return Result(outcome)
        failed = version.failed_tests
        tests = None if failed is None else TestReport(total=9, failed=failed, skipped=0)
        return Result(outcome, tests, version.line_coverage)

    def _loaded(self, version: Version, plan: LoadPlan) -> LoadReport:
        """What a load check finds: one that saturates holds three quarters of what is asked."""
        held = 0.8 * plan.rates[-1] if version.saturates else plan.rates[-1]
        steps = tuple(LoadStep(rate, 1000, 0, rate, min(rate, held), 5.0, 9.0, 12.0) for rate in plan.rates)
        now = self.clock.now()
        return LoadReport(steps, now, now, plan.busiest)

    def _version_of(self, deployment: DeploymentId) -> Version | None:
        folder = self.target.folders.get(deployment)
        return folder.version if folder else None

    def _on_told(self, routing: Routing, generation: Generation) -> None:
        self.rules.check_told(routing, generation)

    def _on_split(self, placement: PlacementId, routing: Routing) -> None:
        self.traffic.set_split(placement, Split.of(routing))

    def _on_stop(self, placement: PlacementId, deployment: DeploymentId, endpoint: Endpoint) -> None:
        self.rules.check_stop(deployment, endpoint)
