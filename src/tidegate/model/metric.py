"""Metrics of a service's own: what is asked of a source about a deployment, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from tidegate.model.ids import RolloutId
from tidegate.model.mann_whitney import ComparisonRule
from tidegate.model.recording import MetricKind, Worse
from tidegate.model.threshold import ThresholdRule

PLACEHOLDERS = ("deployment", "service", "environment", "window")
"""What may stand in a query after a `$`."""

PLACEHOLDER = re.compile(r"\$([A-Za-z_]\w*)")
BEFORE_FIRST_STEP = -1
"""The step of a reading of the old deployment alone, before the rollout."""


class SourceName(StrEnum):
    """Where the figures of a metric come from, beside the router."""

    PROMETHEUS = "prometheus"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class MetricRule:
    """A metric that a file adds to those of the router, and how much worse it may be.

    A rate's counts are of `total`, a query like `query`; where there is none, of the router's requests. Figures are
    read of one `window` after the other, each `delay` after its end.
    """

    name: str
    source: SourceName
    query: str = ""
    total: str | None = None
    command: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Secrets of the service that the command gets as variables of these names."""

    kind: MetricKind = MetricKind.RATE
    worse: Worse = Worse.UP
    tolerance: float = 0.10
    """How much worse it may be: 0.1 allows a tenth."""

    weight: float | None = None
    """Its part of the false-alarm level; None for an equal one."""

    gate: float | None = None
    """How many times worse it must be to fail, however certain the difference is."""

    critical: bool = False
    usage: bool = False
    """Whether it counts the use of a feature: `tolerance` is then the drop that fails, and what is new is only told."""

    window: timedelta = timedelta(minutes=1)
    delay: timedelta = timedelta(0)
    comparison: ComparisonRule = ComparisonRule()
    threshold: ThresholdRule = ThresholdRule()
    """What the methods by name go by."""

    @property
    def tolerated_ratio(self) -> float:
        """How many times worse it may certainly be; of usage half of the drop, as of latency half of the tolerance."""
        return 1.0 / (1.0 - self.tolerance / 2) if self.usage else 1.0 + self.tolerance

    @property
    def seen_ratio(self) -> float:
        """How many times worse it must be to be seen; a drop by exactly the tolerance is one, whatever is rounded."""
        return self.gate or ((1.0 - 1e-9) / (1.0 - self.tolerance) if self.usage else 1.0)

    @property
    def settles_for(self) -> timedelta:
        """How long nothing is read of instances that are new.

        Prometheus has to find them first, and of a counter that it finds it does not know what came before: as if the
        new deployment did less than the old one.
        """
        return self.window if self.source is SourceName.PROMETHEUS else timedelta(0)


@dataclass(frozen=True, slots=True)
class Counted:
    """So many of `n` were `x`; a source that counts `x` alone leaves `n` to the router."""

    x: float
    n: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution: `counts` has one place more than `edges`, the last for what is above all of them."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of the window, one or several (of instances, or of shorter times)."""

    values: tuple[float, ...]


Figures = Counted | Spread | Measured


@dataclass(frozen=True, slots=True)
class NoFigures:
    """The source answered, and has nothing about this deployment; `reason` in words. It is never a zero."""

    reason: str


@dataclass(frozen=True, slots=True)
class MetricReading:
    """What a source said of a window, for each side; None is no data, and `trouble` says why.

    `step` is the rollout's at that time, BEFORE_FIRST_STEP for the look at the old deployment before the rollout.
    Trouble beside figures of that look says that they are not the deployment's.
    """

    rollout: RolloutId
    metric: str
    begin: datetime
    end: datetime
    step: int
    canary: Figures | None = None
    baseline: Figures | None = None
    trouble: str = ""

    @property
    def is_of_something_else(self) -> bool:
        """Whether the look before the rollout found that the metric does not show the deployment."""
        return self.step == BEFORE_FIRST_STEP and self.baseline is not None and bool(self.trouble)


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """What a deployment that was found good showed from `begin` on, for `seconds`.

    `beside` is what another one that was found good showed meanwhile; None where nothing ran beside it.
    """

    begin: datetime
    seconds: float
    figures: Figures
    beside: Figures | None = None


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """All that is known of one metric in a rollout: its readings in order, without the look before it.

    `history` is what it showed lately while nothing was wrong, oldest first.
    """

    rule: MetricRule
    readings: tuple[MetricReading, ...] = ()
    before: MetricReading | None = None
    history: tuple[HistoryBatch, ...] = ()

    def at_step(self, step: int) -> tuple[MetricReading, ...]:
        """The readings of a step."""
        return tuple(one for one in self.readings if one.step == step)


NO_HISTORY: Mapping[str, tuple[HistoryBatch, ...]] = MappingProxyType({})


def placeholders_in(query: str) -> tuple[tuple[int, str], ...]:
    """The words after a `$` in a query, each with the place of its `$`."""
    return tuple((found.start(), found[1]) for found in PLACEHOLDER.finditer(query))


def series_of(
    rules: Sequence[MetricRule],
    readings: Sequence[MetricReading],
    history: Mapping[str, tuple[HistoryBatch, ...]] = NO_HISTORY,
) -> tuple[MetricSeries, ...]:
    """What is known of each metric; `readings` are those of one rollout, oldest first, `history` is by metric.

    A metric of something else has no readings.
    """
    found: list[MetricSeries] = []
    for rule in rules:
        of_it = [one for one in readings if one.metric == rule.name]
        before = next((one for one in of_it if one.step == BEFORE_FIRST_STEP), None)
        usable = before is None or not before.is_of_something_else
        of_steps = tuple(one for one in of_it if usable and one.step != BEFORE_FIRST_STEP)
        found.append(MetricSeries(rule, of_steps, before, history.get(rule.name, ())))
    return tuple(found)
