"""Environments: where services run, and what the server's own configuration says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tidegate.model.calendar import Calendar
from tidegate.model.channel import Channel
from tidegate.model.floor import Floor
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName
from tidegate.model.provider_person import ProviderSettings
from tidegate.model.recurrence import Recurrence
from tidegate.model.train import Train


@dataclass(frozen=True, slots=True)
class Environment:
    """Where services run. Into a protected one nothing goes by policy unless a person granted it.

    `target` and `router` name the adapters that install deployments there and split their traffic.
    """

    name: EnvironmentName
    protected: bool
    target: str = "local"
    router: str = "envoy"
    floors: tuple[Floor, ...] = ()
    """What the server demands of what goes into it: of every service, or of some."""

    calendars: tuple[Calendar, ...] = ()
    """All that the server has; windows name them."""

    freezes: tuple[Freeze, ...] = ()
    """Those of the server's configuration."""

    drills: Recurrence | None = None
    """When rollbacks are practised there; without it, when somebody says so."""

    def floors_for(self, service: str) -> tuple[Floor, ...]:
        """Those that hold for the service."""
        return tuple(one for one in self.floors if one.concerns(service))

    def freezes_for(self, service: str) -> tuple[Freeze, ...]:
        """Those of the configuration that concern the service."""
        return tuple(one for one in self.freezes if one.concerns(service, self.name))

    def forbids_deployment(self, service: str) -> str | None:
        """The floor by which a person always opens the gate for the service."""
        return next((one.name for one in self.floors_for(service) if not one.deployment), None)


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Where Prometheus answers; `token_file` is a file in the data folder with what is sent along."""

    url: str
    token_file: str | None = None


@dataclass(frozen=True, slots=True)
class ServerConfiguration:
    """What `tidegate-server.yaml` says. `poll_interval` is the time between two looks at a remote repository, `batch`
    the time for which figures are collected before they are judged again, `cache` how many bytes the results of
    steps may take, `address` how browsers reach the server, `provider` whom people sign in with,
    `channels` whom it tells what."""

    environments: Mapping[EnvironmentName, Environment]
    poll_interval: timedelta = timedelta(seconds=30)
    batch: timedelta = timedelta(seconds=10)
    cache: int = 10 * 1024**3
    address: str | None = None
    provider: ProviderSettings | None = None
    hosts: tuple[str, ...] = ()
    """Patterns of the hosts that gates may ask; where there are none, all but the server's own machine."""
    trains: Mapping[str, Train] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    prometheus: PrometheusSettings | None = None
    alerts_token_file: str | None = None
    """A file in the data folder with what Alertmanager proves itself with; without it no alerts are taken."""


DEFAULT_ENVIRONMENTS: Mapping[EnvironmentName, Environment] = {
    name: Environment(name, protected)
    for name, protected in (
        (EnvironmentName("dev"), False),
        (EnvironmentName("staging"), False),
        (EnvironmentName("production"), True),
    )
}
"""The environments of a new data folder."""
