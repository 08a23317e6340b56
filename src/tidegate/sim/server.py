"""The server of the simulated world: the real engine and acts, which a crash ends and a start begins anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

from tidegate.engine.asking import Asker
from tidegate.engine.drills import DrillActs
from tidegate.engine.engine import Engine
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.glass import GlassActs
from tidegate.engine.leasing import Leasing
from tidegate.engine.measuring import Measuring
from tidegate.engine.parts import Parts
from tidegate.engine.placements import PlacementActs
from tidegate.engine.questions import QuestionActs
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.engine.train_acts import TrainActs
from tidegate.integrations.asking import Outside
from tidegate.metrics.question import FigureSource
from tidegate.model.ids import PlacementId, ServiceName
from tidegate.model.metric import SourceName
from tidegate.sim.clock import ServerClock
from tidegate.sim.queue import HintFaults, SimulatedQueue

ADDRESS = "https://tidegate.example"


class PlainSecrets:
    """Secrets that nobody hides: nothing here is secret."""

    def seal(self, value: str) -> str:
        """The value."""
        return value

    def open(self, sealed: str) -> str:
        """The value."""
        return sealed


class CountedPorts:
    """Ports in order; those that are given back are used again."""

    def for_placement(self, taken: frozenset[int]) -> int:
        """A port for a placement's address."""
        return _first_free(20_000, taken)

    def for_instance(self, taken: frozenset[int]) -> int:
        """A port for an instance."""
        return _first_free(30_000, taken)


class OneSource:
    """All commits come from the same imagined place."""

    def source_of(self, service: ServiceName) -> str:
        """A git URL."""
        return f"sim:{service}"


def _first_free(begin: int, taken: frozenset[int]) -> int:
    port = begin
    while port in taken:
        port += 1
    return port


@dataclass(slots=True)
class CountedIds:
    """Identifiers in the order of their making, as ULIDs are."""

    count: int = 0

    def __call__(self) -> str:
        """The next one."""
        self.count += 1
        return f"{self.count:010d}"


@dataclass(slots=True)
class SimulatedServer:
    """One life of a server: what is in memory here is lost at a crash."""

    parts: Parts
    clock: ServerClock
    outside: Outside
    figures: FigureSource
    random: Random
    hint_faults: HintFaults
    steps_ready: Callable[[], None]
    queue: SimulatedQueue = field(init=False)
    engine: Engine = field(init=False)
    runs: RunActs = field(init=False)
    placements: PlacementActs = field(init=False)
    services: ServiceActs = field(init=False)
    trains: TrainActs = field(init=False)
    drills: DrillActs = field(init=False)
    freezes: FreezeActs = field(init=False)
    glass: GlassActs = field(init=False)
    questions: QuestionActs = field(init=False)
    asker: Asker = field(init=False)
    measuring: Measuring = field(init=False)
    leasing: Leasing = field(init=False)

    def __post_init__(self) -> None:
        self.queue = SimulatedQueue(self.clock, self.random, self.hint_faults)
        self.engine = Engine(
            self.parts, self.queue, steps_ready=self.steps_ready, ask=self._send, measure=self._measure
        )
        self.measuring = Measuring(self.parts, {SourceName.PROMETHEUS: self.figures}, at_once=1)
        database, secrets = self.parts.database, self.parts.secrets
        self.asker = Asker(database, self.clock, secrets, self.outside, ADDRESS, self.queue.hint)
        self.asker.again = self._send
        self.runs = RunActs(self.engine)
        self.placements = PlacementActs(self.engine)
        self.services = ServiceActs(self.engine)
        self.trains, self.drills = TrainActs(self.engine), DrillActs(self.engine)
        self.questions = QuestionActs(self.engine)
        self.freezes, self.glass = FreezeActs(self.engine), GlassActs(self.engine)
        self.leasing = Leasing(self.engine, StepLogs(Path("/nonexistent")))

    def look(self, subject: str) -> None:
        """Look at what was hinted at."""
        if subject.startswith("question:"):
            self.asker.look(subject)
        elif subject.startswith("figures:"):
            self.measuring.look(subject)
        else:
            self.engine.look(subject)

    def _send(self, question: str, at: datetime) -> None:
        self.queue.hint(f"question:{question}", at)

    def _measure(self, placement: PlacementId) -> None:
        self.queue.hint(f"figures:{placement}")

    def upkeep(self) -> None:
        """What the server does now and then."""
        self.leasing.end_lost()
        self.engine.sweep()
        self.drills.begin_due()
