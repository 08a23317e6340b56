"""What the rules look at besides the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidegate.model.ids import Commit, EnvironmentName, ServiceName
from tidegate.model.train import Train
from tidegate.sim.clock import ServerClock
from tidegate.sim.demand import Demand
from tidegate.sim.own_figures import OwnFigures
from tidegate.sim.router import SimulatedRouter
from tidegate.sim.target import SimulatedTarget
from tidegate.sim.ticket_office import TicketOffice
from tidegate.sim.traffic import SimulatedTraffic
from tidegate.sim.version import Version


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
    def own(self) -> OwnFigures:
        """What the service counts itself."""

    @property
    def trains(self) -> Mapping[str, Train]:
        """The release trains."""

    @property
    def windows(self) -> Mapping[tuple[ServiceName, Commit], Sequence[str]]:
        """The hours in which files let releases into production; those without any are not there."""

    @property
    def floor(self) -> Demand:
        """What the server demands of all that goes into production."""

    @property
    def files(self) -> Mapping[tuple[ServiceName, Commit], Demand]:
        """What files demand; those that demand nothing are not there."""

    @property
    def server_clock(self) -> ServerClock:
        """What the server's machine shows."""

    @property
    def office(self) -> TicketOffice:
        """The address outside that gates ask."""

    def version_of_commit(self, commit: Commit) -> Version:
        """What a commit really is."""

    @property
    def protected(self) -> Mapping[EnvironmentName, bool]:
        """The environments, and whether they are protected."""
