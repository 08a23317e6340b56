"""What the rules look at besides the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tidegate.model.ids import EnvironmentName
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
    def protected(self) -> Mapping[EnvironmentName, bool]:
        """The environments, and whether they are protected."""
