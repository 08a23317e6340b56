"""Usage of a feature: which share of requests used it on the new deployment, with an interval.

A feature that the old deployment has too is judged as any metric is; one that is new has nothing to fall below, and is
only told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from tidegate.model.ids import EnvironmentName, split_placement
from tidegate.model.metric import Counted, Figures, MetricSeries
from tidegate.model.rollout import Rollout
from tidegate.model.verdict import MetricFinding

SURE = 0.95
"""How sure it is that the real share lies within the interval, if each request is one for itself."""

_Z = NormalDist().inv_cdf((1 + SURE) / 2)


@dataclass(frozen=True, slots=True)
class Usage:
    """So many of `requests` to the new deployment used it; the real share lies between `low` and `high`.

    `before` is the share on the old deployment, None where that has no use of it: then the feature is new.
    """

    metric: str
    used: float
    requests: float
    low: float
    high: float
    before: float | None

    @property
    def share(self) -> float:
        """Of all requests."""
        return self.used / self.requests


def usage_of(series: MetricSeries) -> Usage | None:
    """What all readings of a rollout show; None of a metric that counts no usage, or where nothing was counted."""
    used, requests = _sums([one.canary for one in series.readings])
    if not series.rule.usage or not requests:
        return None
    low, high = interval(used, requests)
    return Usage(series.rule.name, used, requests, low, high, _before(series))


def is_new_feature(series: MetricSeries) -> bool:
    """Whether the metric counts the usage of something that the old deployment was never seen to have."""
    return series.rule.usage and _before(series) is None


def interval(hits: float, trials: float) -> tuple[float, float]:
    """Where a share lies (Wilson 1927): it holds for few hits and for none, too."""
    share, spread = hits / trials, _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def last_seen(rollouts: Iterable[Rollout]) -> Mapping[EnvironmentName, tuple[MetricFinding, ...]]:
    """By environment, what the newest of the rollouts that counted any usage showed; they come the newest first."""
    found: dict[EnvironmentName, tuple[MetricFinding, ...]] = {}
    for rollout in rollouts:
        told = tuple(one for one in rollout.judgement.metrics if one.is_only_told) if rollout.judgement else ()
        if told and not rollout.drill:
            found.setdefault(split_placement(rollout.placement)[1], told)
    return found


def _before(series: MetricSeries) -> float | None:
    """The old deployment's share beside the new one, else before it; None where it was never used there."""
    beside = _sums([one.baseline for one in series.readings])
    earlier = series.before.baseline if series.before else None
    used, requests = beside if beside[0] else _sums([earlier])
    if used and requests:
        return used / requests
    # bare counts: it was used, and nobody knows of how many
    return 0.0 if isinstance(earlier, Counted) and earlier.x else None


def _sums(figures: list[Figures | None]) -> tuple[float, float]:
    counted = [one for one in figures if isinstance(one, Counted) and one.n is not None]
    return sum(one.x for one in counted), sum(one.n or 0.0 for one in counted)
