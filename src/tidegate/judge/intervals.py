"""Values per interval, such as CPU, memory or the length of a queue: ranks, and bets on them.

Of every batch all values of the canary are compared with all of the baseline, made worse by the tolerance; u is the
part of these pairs in which the canary is the worse one (ties count half: Mann, Whitney 1947). Without harm u is 1/2
on average, whatever the values' distribution, and 1 + s (2 u - 1) with 0 < s < 1 is a bet with an expectation of at
most 1 (Waudby-Smith, Ramdas 2024). The guarantee holds if within a batch both sides' values are exchangeable given the
past: it does not need the values of one batch to be independent of each other, and it does not hold where the canary's
machine is another than the baseline's. Values that wander slowly on each side are tempered as counts are.

A leak is a growth over time that the baseline does not share. Of every batch after the warm-up the rank of the
canary's excess among all earlier ones is looked at: without a trend it is uniform (Vovk, Nouretdinov, Gammerman 2003),
and the same bets are made on it.
"""

from __future__ import annotations

import numpy as np

from tidegate.judge.arrays import Flags, Floats

STAKES: Floats = np.array([0.3, 0.6, 0.9])

WARM_UP_SECONDS = 300.0
"""A process that has just begun grows for a while."""

_MEMORY = 0.9
_SPANS = (1, 2, 4, 8)
_DOUBT = 0.6


def worse_pairs(canary: Floats, baseline: Floats, times: float) -> float:
    """The part of all pairs in which the canary is above the baseline's value `times`; NaN where a side is empty."""
    if not len(canary) or not len(baseline):
        return float("nan")
    moved = np.sort(baseline * times)
    below, up_to = np.searchsorted(moved, canary, "left"), np.searchsorted(moved, canary, "right")
    return float((below + up_to).sum() / (2 * len(canary) * len(moved)))


def log_stakes(u: Floats) -> Floats:
    """The logarithms of the bets on u (T) → T rows of stakes, divided by how much u wanders; 0 where u is NaN."""
    known = ~np.isnan(u)
    z = np.where(known, 2 * u - 1, 0.0)
    result: Floats = np.log1p(STAKES[None, :] * z[:, None]) / wandering(z, known)[:, None] * known[:, None]
    return result


def ranks(excess: Floats, first: int) -> Floats:
    """The rank of each value among all earlier ones since `first`, between 0 and 1; NaN where there are none."""
    found = np.full(len(excess), np.nan)
    seen: list[float] = []
    for place in range(first, len(excess)):
        value = excess[place]
        if np.isnan(value):
            continue
        if seen:
            before = np.array(seen)
            found[place] = ((before < value).sum() + (before == value).sum() / 2 + 0.5) / (len(seen) + 1)
        seen.append(float(value))
    return found


def wandering(z: Floats, known: Flags) -> Floats:
    """Before each batch, how many times as much sums over several batches vary as independent ones would; at least 1.

    Spans are compared with the last but one before them, so that steady harm is no wandering.
    """
    sums = np.concatenate([[0.0], np.cumsum(z)])
    middle = np.zeros(len(z))
    for place in range(1, len(z)):
        middle[place] = middle[place - 1] * _MEMORY + z[place - 1] * (1 - _MEMORY) if known[place - 1] else 0.0
    squares = np.concatenate([[0.0], np.cumsum(np.where(known, (z - middle) ** 2, 0.0))])
    largest = np.ones(len(z))
    for span in _SPANS:
        ends = np.arange(3 * span, len(z) + 1)
        if not len(ends):
            break
        apart = (sums[ends] - sums[ends - span] - sums[ends - 2 * span] + sums[ends - 3 * span]) ** 2
        chance = squares[ends] - squares[ends - span] + squares[ends - 2 * span] - squares[ends - 3 * span]
        found = np.cumsum(apart) / np.maximum(np.cumsum(chance), 1e-12)
        surely = found * (1 - _DOUBT * np.sqrt(2 * span / (1.5 * np.arange(1, len(ends) + 1))))
        later = np.concatenate([np.ones(3 * span), surely])[: len(z)]
        largest = np.maximum(largest, later)
    return largest
