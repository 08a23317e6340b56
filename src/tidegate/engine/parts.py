"""What the engine works with, handed in once: adapters, clock, ids and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from tidegate.engine.clock import Clock
from tidegate.judge.judge import Judge
from tidegate.metrics.source import MetricsSource
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.train import Train
from tidegate.routers.dead_man import DeadMan, NobodyThere
from tidegate.routers.router import Router
from tidegate.store.database import Database
from tidegate.targets.target import Target


class Secrets(Protocol):
    """Opens what the store keeps sealed."""

    def seal(self, value: str) -> str:
        """What may be written to the database."""

    def open(self, sealed: str) -> str:
        """The value again. Raises security.secret_box.WrongKey."""


class Ports(Protocol):
    """Finds ports that nobody uses."""

    def for_placement(self, taken: frozenset[int]) -> int:
        """A port for a placement's address."""

    def for_instance(self, taken: frozenset[int]) -> int:
        """A port for an instance."""


class Sources(Protocol):
    """Where a service's commits can be fetched from on this machine."""

    def source_of(self, service: ServiceName) -> str:
        """A git URL or path."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Times that the server's configuration may change; all others are constants of the model."""

    batch: timedelta = timedelta(seconds=10)
    effect_lease: timedelta = timedelta(seconds=60)
    install_poll: timedelta = timedelta(milliseconds=250)
    route_poll: timedelta = timedelta(milliseconds=50)
    drain_poll: timedelta = timedelta(milliseconds=250)
    failure_pause: timedelta = timedelta(seconds=1)
    step_lease: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the engine is made of. `new_id` gives a fresh identifier at every call."""

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    environments: Mapping[EnvironmentName, Environment]
    target: Target
    router: Router
    metrics: MetricsSource
    judge: Judge
    secrets: Secrets
    ports: Ports
    sources: Sources
    settings: Settings = field(default_factory=Settings)
    trains: Mapping[str, Train] = field(default_factory=dict)
    dead_man: DeadMan = field(default_factory=NobodyThere)

    def environment(self, name: EnvironmentName) -> Environment:
        """The environment of that name; one that the configuration no longer has counts as protected."""
        return self.environments.get(name) or Environment(name, protected=True)
