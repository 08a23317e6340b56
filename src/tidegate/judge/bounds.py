"""Bounds on a rate that hold at all looks together.

A rate p is excluded once the evidence against it reaches 1 / level; the evidence is the weighted average, over odds w,
of w^hits / (1 + (w - 1) p)^trials, whose expectation is 1 at p (see `evidence`; Ville 1939). With w > 1 this excludes
rates that are too low, with w < 1 those that are too high. By the concavity of the logarithm a bound on one rate is
also a bound on the average of rates that change while one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p

_Alternatives = Sequence[tuple[float, float]]

_HIGHER: _Alternatives = ((1.2, 0.25), (1.5, 0.25), (3.0, 0.25), (10.0, 0.25))
"""(odds, weight): by how much the truth may be above a rate that is too low."""

_LOWER: _Alternatives = ((0.02, 0.7), (0.2, 0.15), (0.5, 0.1), (0.8, 0.05))
"""Mostly on "it practically never happens", which lets a version without errors pass soonest."""

_BISECTIONS = 30


def lower_bound(hits: float, trials: float, level: float) -> float:
    """The rate that is at least this, wrong at any look with a probability of at most `level`."""
    return _bound(hits, trials, level, _HIGHER, low=0.0, high=_rate(hits, trials), excluded_below=True)


def upper_bound(hits: float, trials: float, level: float) -> float:
    """The rate that is at most this, wrong at any look with a probability of at most `level`."""
    return _bound(hits, trials, level, _LOWER, low=_rate(hits, trials), high=1.0, excluded_below=False)


def excludes_as_high_as(rate: float, hits: float, trials: float, level: float) -> bool:
    """Whether a true rate of `rate` or more is excluded."""
    return _rate(hits, trials) < rate < 1 and _log_evidence(hits, trials, rate, _LOWER) >= -log(level)


def _bound(
    hits: float,
    trials: float,
    level: float,
    alternatives: _Alternatives,
    *,
    low: float,
    high: float,
    excluded_below: bool,
) -> float:
    threshold = -log(level)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if (_log_evidence(hits, trials, middle, alternatives) >= threshold) == excluded_below:
            low = middle
        else:
            high = middle
    return low if excluded_below else high


def _log_evidence(hits: float, trials: float, rate: float, alternatives: _Alternatives) -> float:
    terms = [log(weight) + hits * log(odds) - trials * log1p((odds - 1) * rate) for odds, weight in alternatives]
    largest = max(terms)
    return largest + log(sum(exp(term - largest) for term in terms))


def _rate(hits: float, trials: float) -> float:
    return hits / trials if trials else 0.0
