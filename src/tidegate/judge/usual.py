"""A new deployment that nothing runs beside, held against what is usual at this time of the day.

The days before tell by how much one day's share of failed or slow requests differs from another's. Its logarithm is
taken for normal, so that the next day's exceeds the prediction bound of the Student t distribution with a known
probability (Hahn, Meeker 1991, section 4.3); where little was counted, the bound is that of all days' counts together.
The new deployment's requests are compared with that bound, as errors are with an objective.

It holds if nothing but the version is unlike the days before: an incident that the service has once a year looks like
harm, one that it has every week does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from tidegate.judge.arrays import Floats, Places
from tidegate.judge.bounds import OFTEN, upper_bound
from tidegate.judge.latency import LEAST_KNOWN, Histograms, above_edges
from tidegate.judge.limits import BOUND_LEVEL, MOST, alone, rules_at, slow_excluded
from tidegate.judge.proportions import ERROR_HARMS, SHIFT_HARMS, Rows
from tidegate.judge.tracks import Pace
from tidegate.judge.two_proportions import Counts
from tidegate.model.traffic import Traffic
from tidegate.model.usual import HALF, LEAST_DAYS, Usual


def day_bound(shares: Floats, of: Floats) -> Floats:
    """What the next day's shares do not exceed but for one in 2,000, from those of D days (D x M), and how many
    requests these are of (D)."""
    # here, because few rollouts come here, and it takes half as long as all else that a judge loads
    from scipy.special import stdtrit

    days, whole = len(of), float(of.sum())
    logs = np.log(shares)
    beyond = stdtrit(days - 1, 1 - BOUND_LEVEL) * np.sqrt(1 + 1 / days)
    predicted = np.exp(logs.mean(axis=0) + beyond * logs.std(axis=0, ddof=1))
    counted = [upper_bound(float(one), whole, BOUND_LEVEL, OFTEN) for one in of @ shares]
    result: Floats = np.clip(np.maximum(predicted, counted), 0.0, MOST)
    return result


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """What is usual in the half hour from `begin` on: the share of errors, and its bound (one each); of latency the
    histogram (E + 1), and the bounds of the shares of slow requests (Q). None where too few days are known."""

    begin: datetime
    errors: Floats | None = None
    errors_bound: Floats | None = None
    latency: Floats | None = None
    slow_bound: Floats | None = None


@dataclass(frozen=True, slots=True)
class AtThisTime:
    """The evidence against what is usual: of errors (one row) and of latency (Q rows).

    `every` is latency at all hours, with the edges at which it is compared; `first` is the time at which the rollout
    began, `now` the one of the latest batch. What was counted at a time of which too few days are known is no
    evidence.
    """

    usual: Usual
    began: datetime
    every: Histograms
    tolerance: float
    errors: Rows
    latency: Rows
    first: TimeOfDay | None = None
    now: TimeOfDay | None = None

    @classmethod
    def new(cls, usual: Usual, began: datetime, every: Histograms, tolerance: float, pace: Pace) -> AtThisTime:
        """Before the first batch; `every` knows nothing, `tolerance` is by which part slower is harmless."""
        if len(every.quantiles):
            known = [_latencies(days, every) for days in usual.days.values()]
            every = replace(every, baseline=np.vstack([*known, every.baseline]).sum(axis=0)[None]).chosen()
        return cls(
            usual,
            began,
            every,
            tolerance,
            Rows.new(1, ERROR_HARMS, pace.horizon, pace.lengths),
            Rows.new(len(every.quantiles), SHIFT_HARMS, pace.horizon, pace.lengths),
        )

    def after(self, begin: datetime, counts: Counts, latency: Floats, floor: float) -> AtThisTime:
        """With a batch of the new deployment alone; a share of errors larger by `floor` is no harm in any case."""
        now = self._time_of(begin)
        state = replace(self, first=self.first or self._time_of(self.began), now=now)
        if now.errors is not None and now.errors_bound is not None:
            limits = np.minimum(now.errors_bound + floor, MOST)
            rules = rules_at(limits, slow_excluded(limits))
            state = replace(state, errors=self.errors.after(counts, rules, now.errors))
        if now.latency is not None and now.slow_bound is not None:
            rules = rules_at(now.slow_bound, slow_excluded(now.slow_bound))
            edges = self.every.compared[0]
            above = above_edges(latency, edges)
            slow = alone(np.full(len(above), latency.sum()), above)
            usual = above_edges(now.latency, edges) / now.latency.sum()
            state = replace(state, latency=self.latency.after(slow, rules, usual))
        return state

    def risen(self, edges: Places) -> Floats:
        """How many times as many requests are usually slower than these edges now as when the rollout began; at least
        once."""
        if not (self.first and self.now) or self.first.latency is None or self.now.latency is None:
            return np.ones(len(edges))
        then, now = (
            (above_edges(one, edges) + 0.5) / (one.sum() + 1.0) for one in (self.first.latency, self.now.latency)
        )
        result: Floats = np.maximum(now / then, 1.0)
        return result

    def _time_of(self, moment: datetime) -> TimeOfDay:
        """What is usual at that time of the day."""
        begin = moment.replace(minute=moment.minute - moment.minute % HALF, second=0, microsecond=0)
        if self.now and self.now.begin == begin:
            return self.now
        days = self.usual.at(begin)
        if not days:
            return TimeOfDay(begin)
        around = self.usual.around(begin)
        errors = _errors(days).sum(keepdims=True) / _requests(days).sum()
        found = TimeOfDay(begin, errors, np.max([_error_bound(one) for one in around], axis=0))
        latency, *beside = (_latencies(one, self.every) for one in around)
        if len(latency) < LEAST_DAYS or not len(self.every.quantiles):
            return found
        bounds = [self._slow_bound(one) for one in (latency, *beside) if len(one) >= LEAST_DAYS]
        return replace(found, latency=latency.sum(axis=0), slow_bound=np.max(bounds, axis=0))

    def _slow_bound(self, latency: Floats) -> Floats:
        """From histograms of D days (D x E + 1)."""
        each = replace(self.every, baseline=latency, edge=np.repeat(self.every.edge, len(latency), axis=0))
        return day_bound(each.above_faster(np.full(len(latency), 1 + self.tolerance)), latency.sum(axis=1))


def _error_bound(days: Sequence[Traffic]) -> Floats:
    of = _requests(days)
    return day_bound(((_errors(days) + 0.5) / (of + 1.0))[:, None], of)


def _requests(days: Sequence[Traffic]) -> Floats:
    return np.array([float(one.requests) for one in days])


def _errors(days: Sequence[Traffic]) -> Floats:
    return np.array([float(min(one.errors, one.requests)) for one in days])


def _latencies(days: Sequence[Traffic], of: Histograms) -> Floats:
    """The histograms with these edges and enough requests, D x E + 1."""
    edges = tuple(of.edges.tolist())
    known = [one.latency for one in days if one.edges == edges and sum(one.latency) >= LEAST_KNOWN]
    return np.array(known, dtype=np.float64).reshape(len(known), len(edges) + 1)
