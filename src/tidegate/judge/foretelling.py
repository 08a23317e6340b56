"""What a rollout can show before it begins: which harm is seen at each of its shares, in its time, at this traffic.

The judge itself is asked, with the counts that are to be expected, fractions of requests where there are few. Half of
the rollouts with such a harm would be failed sooner than that, and half later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.limits import STEP_MARGIN, STEP_MARGIN_FLOOR
from tidegate.judge.proportions import ERROR_HARMS, Rows, Rules
from tidegate.judge.tracks import LEAST_TO_FAIL, SAFE_LEVEL, Pace
from tidegate.judge.two_proportions import Counts, Line

_RATES = 24
"""So many error rates are tried, from the first that is harm to one that fails every request."""

_KEPT = 256
_TRIED_AT_MOST = 480
"""Batches: what takes longer than two hours of 15 s is not seen in the time of a rollout."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the traffic that the new deployment gets, and how long it may be looked at."""

    share: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a minute to the whole placement, and which part of them fails without harm."""

    per_minute: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class Level:
    """How a live rollout is judged: the false-alarm level, what of it errors get, their tolerance, margin and gate."""

    alpha: float = 0.01
    weight: float = 0.4
    tolerated: tuple[float, float] = (1.0, 0.0002)
    margin: tuple[float, float] = (STEP_MARGIN, STEP_MARGIN_FLOOR)
    gate: float = 1.25


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a step can show.

    `seen` is the least error rate of the new deployment that would be failed for within the step, None where not even a
    version that fails every request would be; `passes_after` are the seconds after which a harmless one passes, None
    where it would not within the step.
    """

    step: Step
    per_minute: float
    seen: float | None
    passes_after: float | None


def outlook(
    traffic: Traffic, steps: Sequence[Step], level: Level = Level(), batch_seconds: float = 15.0
) -> list[Outlook]:
    """What each step can show by itself, in order."""
    return [_outlook(traffic, step, level, batch_seconds) for step in steps]


@lru_cache(_KEPT)
def _outlook(traffic: Traffic, step: Step, level: Level, batch_seconds: float) -> Outlook:
    canary, rest = traffic.per_minute * step.share, traffic.per_minute * (1 - step.share)
    if canary <= 0 or rest <= 0:
        return Outlook(step, canary, None, None)
    rates = _error_rates(traffic.error_rate, level)
    each = batch_seconds / 60
    counts = Counts(
        canary_of=np.full(len(rates), canary * each),
        canary_hits=canary * each * rates,
        baseline_of=np.full(len(rates), rest * each),
        baseline_hits=np.full(len(rates), rest * each * traffic.error_rate),
    )
    failed, passed = _batches_until(counts, rates, traffic, level, batch_seconds, step.seconds)
    seen = np.flatnonzero(failed[1:] > 0) + 1
    return Outlook(
        step=step,
        per_minute=canary,
        seen=float(rates[seen[0]]) if len(seen) else None,
        passes_after=float(passed * batch_seconds) if passed else None,
    )


def _error_rates(error_rate: float, level: Level) -> Floats:
    """Error rates of a new deployment: harmless, and from the gate to all requests."""
    ratio, floor = level.tolerated
    least = max(error_rate * max(ratio, level.gate), error_rate * ratio + floor)
    return np.concatenate([[error_rate], np.geomspace(min(least * 1.05, 0.99), 1.0, _RATES)])


def _batches_until(
    counts: Counts, rates: Floats, traffic: Traffic, level: Level, batch_seconds: float, seconds: float
) -> tuple[Floats, int]:
    """After how many batches each rate is failed for, and the first one passes; 0 where not within that time."""
    pace = Pace.of(batch_seconds)
    rows = Rows.new(len(rates), ERROR_HARMS, pace.horizon, pace.lengths)
    rules = Rules(_line(level.tolerated, len(rates)), _line(level.margin, len(rates)))
    needed = -np.log(level.alpha) - np.log(level.weight)
    failed, passed = np.zeros(len(rates)), 0
    for batch in range(1, min(int(seconds // batch_seconds), _TRIED_AT_MOST) + 1):
        rows = rows.after(counts, rules)
        enough = counts.canary_of * batch >= LEAST_TO_FAIL
        failed = np.where((failed == 0) & enough & (rows.log_lasting() >= needed), batch, failed)
        is_safe = rows.log_safety()[0] >= -np.log(SAFE_LEVEL) and counts.canary_of[0] * batch >= LEAST_TO_FAIL
        passed = passed or (batch if is_safe else 0)
    return failed, passed


def _line(rule: tuple[float, float], rows: int) -> Line:
    ratio, floor = rule
    return Line(np.full(rows, ratio), np.full(rows, floor))
