"""What the rules look at besides the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidegate.model.ids import Commit, EnvironmentName, ServiceName
from tidegate.model.train import Train
from tidegate.sim.router import SimulatedRouter
from tidegate.sim.target import SimulatedTarget
from tidegate.sim.traffic import SimulatedTraffic


class Outside(Protocol):
    """The world as it really is."""

    @property
    def target(self) -> SimulatedTarget:
        """What is installed."""

    @property
    def router(self) -> SimulatedRouter:
        """What is routed."""

    @property
    def traffic(self) -> SimulatedTraffic:
        """What users asked."""

    @property
    def trains(self) -> Mapping[str, Train]:
        """The release trains."""

    @property
    def windows(self) -> Mapping[tuple[ServiceName, Commit], Sequence[str]]:
        """The hours in which files let releases into production; those without any are not there."""

    @property
    def protected(self) -> Mapping[EnvironmentName, bool]:
        """The environments, and whether they are protected."""
