"""A simulated target: it takes time to prepare, to start and to stop, and fails as it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import Commit, DeploymentId, Generation, PlacementId
from tidegate.model.installation import (
    DesiredInstallation,
    Endpoint,
    Installation,
    InstallationState,
    Instance,
    InstanceState,
)
from tidegate.sim.clock import SimulatedClock
from tidegate.sim.version import Version
from tidegate.targets.target import TargetAway

HOST = "127.0.0.1"


@dataclass(slots=True)
class Process:
    """One instance. `stops_at` is when it has ended, where it was asked to; `lost` says that it died by itself,
    `was_lost` that it or the one before it did; `port_taken` that somebody else listens on its port."""

    index: int
    port: int
    healthy_at: datetime
    fails_at: datetime | None
    stops_at: datetime | None = None
    lost: bool = False
    was_lost: bool = False
    port_taken: bool = False

    def state(self, now: datetime) -> InstanceState:
        """How it is at a time."""
        if self.fails_at and now >= self.fails_at:
            return InstanceState.FAILED
        if self.lost or self.port_taken:
            return InstanceState.UNHEALTHY
        return InstanceState.HEALTHY if now >= self.healthy_at else InstanceState.STARTING

    def serves(self, now: datetime) -> bool:
        """Whether it answers requests: it was healthy and nobody asked it to stop."""
        return self.stops_at is None and not self.port_taken and now >= self.healthy_at


@dataclass(slots=True)
class Folder:
    """What the target holds of one deployment."""

    placement: PlacementId
    version: Version
    prepared_at: datetime
    within: timedelta
    desired: int = 0
    ports: tuple[int, ...] = ()
    processes: dict[int, Process] = field(default_factory=dict)


Stopping = Callable[[PlacementId, DeploymentId, Endpoint], None]


class SimulatedTarget:
    """A Target whose instances exist only in time. `on_stop` hears of each instance that is asked to stop."""

    def __init__(
        self, clock: SimulatedClock, random: Random, versions: Callable[[Commit], Version], on_stop: Stopping
    ) -> None:
        self.clock = clock
        self._random = random
        self._versions = versions
        self._on_stop = on_stop
        self._generations: dict[PlacementId, Generation] = {}
        self.folders: dict[DeploymentId, Folder] = {}
        self.away_until: datetime | None = None
        self.squatters = 0
        """So many instances that start find somebody else on their port."""

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        """Bring the deployment nearer to what is desired. Raises StaleGeneration and TargetAway."""
        self._be_asked()
        if generation < self._generations.get(desired.placement, 0):
            raise StaleGeneration(f"{desired.placement} has seen {self._generations[desired.placement]}")
        self._generations[desired.placement] = generation
        folder = self.folders.get(desired.deployment)
        if folder is None:
            if not desired.instances:
                return Installation(InstallationState.ABSENT)
            prepared_at = self.clock.now() + self._span(0.2, 6)
            version = self._versions(desired.commit)
            within = desired.runtime.health.within
            folder = self.folders[desired.deployment] = Folder(desired.placement, version, prepared_at, within)
        folder.desired, folder.ports = desired.instances, desired.ports or folder.ports
        self._advance(desired.deployment, folder)
        return self._describe(desired.deployment)

    def observe(self, deployment: DeploymentId) -> Installation:
        """How the deployment is now. Raises TargetAway."""
        self._be_asked()
        return self._describe(deployment)

    def process_at(self, endpoint: Endpoint) -> Process | None:
        """The instance that answers there, None where there is none."""
        for folder in self.folders.values():
            for process in folder.processes.values():
                if process.port == endpoint.port and not self._has_ended(process):
                    return process
        return None

    def see_higher_generations(self) -> None:
        """Let it have seen more than the rows know, as after these were restored from a copy."""
        for placement in self._generations:
            self._generations[placement] = Generation(self._generations[placement] + 2)

    def lose_an_instance(self) -> None:
        """Let one healthy instance die by itself; it is there again when the target is told next."""
        now = self.clock.now()
        alive = [
            process
            for _, folder in sorted(self.folders.items())
            for process in folder.processes.values()
            if process.serves(now) and not process.lost
        ]
        if alive:
            process = self._random.choice(alive)
            process.lost = process.was_lost = True

    def settled(self, deployment: DeploymentId) -> Installation:
        """How the deployment is, asked by nobody of the system under test."""
        return self._describe(deployment)

    def let_die(self, version: Version, after: timedelta) -> None:
        """Let all instances of a version end by themselves again and again, those that run now as well."""
        version.dies_after = after
        running = (
            one for folder in self.folders.values() if folder.version is version for one in folder.processes.values()
        )
        for process in running:
            process.fails_at = self.clock.now() + after

    def instances_of(self, deployment: DeploymentId) -> int:
        """How many instances nobody asked to stop; those that died by themselves are put back, which takes time."""
        folder = self.folders.get(deployment)
        return sum(one.stops_at is None for one in folder.processes.values()) if folder else 0

    def is_dying(self, deployment: DeploymentId | None) -> bool:
        """Whether its instances end by themselves again and again, now or before long."""
        folder = self.folders.get(deployment) if deployment else None
        return folder is not None and folder.version.dies_after is not None

    def failed_at(self, deployment: DeploymentId) -> datetime | None:
        """When the first of its instances ended for good, None where none has."""
        folder = self.folders.get(deployment)
        times = [one.fails_at for one in folder.processes.values() if one.fails_at] if folder else []
        past = [at for at in times if at <= self.clock.now()]
        return min(past, default=None)

    def _be_asked(self) -> None:
        self.clock.pass_by(timedelta(milliseconds=2))
        if self.away_until and self.clock.now() < self.away_until:
            raise TargetAway("the simulated target is away")

    def _span(self, low: float, high: float) -> timedelta:
        return timedelta(seconds=round(self._random.uniform(low, high), 3))

    def _has_ended(self, process: Process) -> bool:
        return process.stops_at is not None and process.stops_at <= self.clock.now()

    def _advance(self, deployment: DeploymentId, folder: Folder) -> None:
        now = self.clock.now()
        if now < folder.prepared_at or folder.version.prepare_fails:
            if not folder.desired:
                del self.folders[deployment]
            return
        for process in list(folder.processes.values()):
            if self._has_ended(process):
                del folder.processes[process.index]
            elif process.index >= folder.desired and process.stops_at is None:
                process.stops_at = now + self._span(0, 2)
                self._on_stop(folder.placement, deployment, Endpoint(HOST, process.port))
            elif process.port_taken and process.port != folder.ports[process.index]:
                folder.processes[process.index] = self._start(folder, process.index)
            elif process.lost:
                folder.processes[process.index] = again = self._start(folder, process.index)
                again.was_lost = True
        for index in range(folder.desired):
            if index not in folder.processes:
                folder.processes[index] = self._start(folder, index)
                self._squat(folder.processes[index])
        if not folder.desired and not folder.processes:
            del self.folders[deployment]

    def _squat(self, process: Process) -> None:
        if self.squatters:
            self.squatters -= 1
            process.port_taken = True

    def _start(self, folder: Folder, index: int) -> Process:
        version, now = folder.version, self.clock.now()
        healthy_at = now + self._span(0.1, 3)
        fails_at = healthy_at + version.dies_after if version.dies_after is not None else None
        if version.never_healthy:
            healthy_at = now + timedelta(days=1000)
            fails_at = now + folder.within
        return Process(index, folder.ports[index], healthy_at, fails_at)

    def _describe(self, deployment: DeploymentId) -> Installation:
        folder = self.folders.get(deployment)
        now = self.clock.now()
        if folder is None:
            return Installation(InstallationState.ABSENT)
        if now < folder.prepared_at:
            return Installation(InstallationState.PREPARING, detail="preparing")
        if folder.version.prepare_fails:
            return Installation(InstallationState.FAILED, detail="prepare failed with exit status 1")
        alive = sorted(folder.processes.values(), key=lambda one: one.index)
        stopping = any(one.stops_at is not None and not self._has_ended(one) for one in alive)
        instances = tuple(
            Instance(one.index, Endpoint(HOST, one.port), one.state(now), port_taken=one.port_taken)
            for one in alive
            if one.stops_at is None
        )
        states = {one.state for one in instances}
        if InstanceState.FAILED in states:
            return Installation(InstallationState.FAILED, instances, "an instance ends again and again")
        if stopping:
            return Installation(InstallationState.STOPPING, instances, "instances are stopping")
        if len(instances) < folder.desired or states - {InstanceState.HEALTHY}:
            return Installation(InstallationState.STARTING, instances, "instances are starting")
        return Installation(InstallationState.READY, instances)
