"""Simulated users: their requests are counted for each deployment, and may be read as a MetricsSource."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import erf, log, sqrt
from random import Random

import numpy as np

from tidegate.metrics.source import SourceFailed
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.sim.clock import SimulatedClock
from tidegate.sim.router import Split
from tidegate.sim.version import Version

EDGES = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
_LOG_MEDIAN, _LOG_SIGMA = float(np.log(20.0)), 0.7


@dataclass(frozen=True, slots=True)
class Own:
    """What a service counts itself of the requests until a moment, since it counted last."""

    at: datetime
    orders: int
    wishes: int


@dataclass(slots=True)
class Tally:
    """What one deployment has done since its counters were last at zero, and ever; it serves since `began_at`."""

    began_at: datetime

    requests: int = 0
    errors: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    ever: int = 0
    own: list[Own] = field(default_factory=list)


@dataclass(slots=True)
class Users:
    """Requests a second to one placement, and how they are split now."""

    rate: float = 0.0
    split: Split = field(default_factory=Split)


class SimulatedTraffic:
    """Requests arrive at a rate and are counted when somebody asks."""

    def __init__(self, clock: SimulatedClock, seed: int, version_of: Callable[[DeploymentId], Version | None]) -> None:
        self._clock = clock
        self._random = np.random.default_rng(seed)
        self._of_own = np.random.default_rng(seed + 9)
        self._version_of = version_of
        self._counted_to = clock.now()
        self._users: dict[PlacementId, Users] = {}
        self._chances: dict[float, list[float]] = {}
        self.tallies: dict[DeploymentId, Tally] = {}
        self.silent_until: datetime | None = None

    def set_rate(self, placement: PlacementId, rate: float) -> None:
        """Let so many requests a second come to the placement from now on."""
        self.count()
        self._users.setdefault(placement, Users()).rate = rate

    def set_split(self, placement: PlacementId, split: Split) -> None:
        """Let the placement's requests be split so from now on."""
        self.count()
        self._users.setdefault(placement, Users()).split = split

    def reset(self, deployment: DeploymentId) -> None:
        """Let a deployment's counters begin at zero again."""
        self.count()
        known = self.tallies.get(deployment)
        self.tallies[deployment] = (
            Tally(known.began_at, ever=known.ever, own=known.own) if known else Tally(self._clock.now())
        )

    def reset_one(self, random: Random) -> None:
        """Let the counters of one deployment begin at zero again."""
        if self.tallies:
            self.reset(random.choice(sorted(self.tallies)))

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        """Cumulative counters. Raises SourceFailed while the source is silent."""
        self._clock.pass_by(timedelta(milliseconds=1))
        if self.silent_until and self._clock.now() < self.silent_until:
            raise SourceFailed("the simulated source does not answer")
        self.count()
        found = {name: self.tallies[name] for name in deployments if name in self.tallies}
        return {
            name: Counters(one.requests, one.errors, EDGES, tuple(one.latency), one.requests)
            for name, one in found.items()
        }

    def count(self) -> None:
        """Count all requests up to now."""
        now = self._clock.now()
        seconds = (now - self._counted_to).total_seconds()
        if seconds <= 0:
            return
        self._counted_to = now
        for users in self._users.values():
            for deployment, fraction in users.split.fractions.items():
                requests = int(self._random.poisson(users.rate * seconds * fraction))
                if requests:
                    self._serve(deployment, requests)

    def _serve(self, deployment: DeploymentId, requests: int) -> None:
        version = self._version_of(deployment)
        tally = self.tallies.setdefault(deployment, Tally(self._counted_to))
        slowness = version.slowness if version else 1.0
        tally.requests += requests
        tally.ever += requests
        tally.errors += int(self._random.binomial(requests, self._failing(version, tally)))
        for index, count in enumerate(self._random.multinomial(requests, self._chances_at(slowness))):
            tally.latency[index] += int(count)
        if version:
            own = (int(self._of_own.binomial(requests, share)) for share in (version.orders, version.wishes))
            tally.own.append(Own(self._counted_to, *own))

    def _failing(self, version: Version | None, tally: Tally) -> float:
        """Which share of the requests fails now."""
        if version is None:
            return 1.0
        minutes = (self._clock.now() - tally.began_at) / timedelta(minutes=1)
        return min(1.0, version.error_share + version.leak_a_minute * minutes)

    def _chances_at(self, slowness: float) -> list[float]:
        """How probable each bucket is: latency is lognormal."""
        if slowness not in self._chances:
            scale = _LOG_SIGMA * sqrt(2)
            upper = [0.5 * (1 + erf((log(edge / slowness) - _LOG_MEDIAN) / scale)) for edge in EDGES]
            self._chances[slowness] = [high - low for low, high in pairwise([0.0, *upper, 1.0])]
        return self._chances[slowness]
