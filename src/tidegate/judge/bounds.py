"""A bound on a rate that holds at all looks together.

A rate p is excluded once the evidence against it reaches 1 / level; the evidence is the weighted average, over odds w,
of w^hits / (1 + (w - 1) p)^trials, whose expectation is 1 at p (see `mixture`; Ville 1939). With w < 1 this excludes
rates that are too high. By the concavity of the logarithm a bound on one rate is also a bound on the average of rates
that change while one counts.
"""

from __future__ import annotations

from math import exp, log, log1p

Odds = tuple[tuple[float, float], ...]
"""Pairs of odds and their weight."""

NEVER: Odds = ((0.02, 0.7), (0.2, 0.15), (0.5, 0.1), (0.8, 0.05))
"""Mostly on "it practically never happens", which is closest where nothing was seen."""

OFTEN: Odds = ((0.02, 0.15), (0.2, 0.1), (0.5, 0.15), (0.8, 0.15), (0.9, 0.15), (0.95, 0.1), (0.98, 0.1), (0.99, 0.1))
"""On everything alike: closest where much was seen, because the nearest odds say how close a bound can come."""

_BISECTIONS = 30


def upper_bound(hits: float, trials: float, level: float, odds: Odds = NEVER) -> float:
    """The rate that is at most this, wrong at any look with a probability of at most `level`."""
    low, high = (hits / trials if trials else 0.0), 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _log_evidence(hits, trials, middle, odds) >= -log(level):
            high = middle
        else:
            low = middle
    return high


def _log_evidence(hits: float, trials: float, rate: float, odds: Odds) -> float:
    terms = [log(weight) + hits * log(one) - trials * log1p((one - 1) * rate) for one, weight in odds]
    largest = max(terms)
    return largest + log(sum(exp(term - largest) for term in terms))
