"""By how much one sample lies above another: the Hodges–Lehmann estimate, with an interval.

The interval is that of R's `wilcox.test(x, y, conf.int = TRUE, exact = FALSE)`, which Kayenta follows: all shifts that
a two-sided Mann–Whitney test with the normal approximation, corrected for ties and continuity, does not reject. R and
Kayenta search its ends numerically, Kayenta up to 1e-4 in the metric's unit; but the test statistic changes only at the
m·n pairwise differences, so the ends are two of these and can be named exactly (Hodges, Lehmann 1963; Bauer 1972).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_PAIRS = 1_000_000
"""Differences that are written down (8 MB); of more, the wanted one is found by counting."""

_MOST_HALVINGS = 1100
"""More than there are between any two numbers."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the first sample lies above the second, in their unit.

    Where the samples are too small for any shift to be rejected, the interval reaches from the smallest difference to
    the largest, as R's and Kayenta's does.
    """

    estimate: float
    lower: float
    upper: float


def shift(x: Floats, y: Floats, confidence: float) -> Shift:
    """The shift of `x` (m values) against `y` (n values), both without NaN and not empty."""
    pairs = len(x) * len(y)
    # but at the differences themselves, only values of the same sample are tied
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * sigma(len(x), len(y), tied(x) + tied(y))
    rank = max(floor(pairs / 2 - 0.5 - reach) + 1, 1)
    middle = ((pairs + 1) // 2, pairs // 2 + 1)
    ranks = sorted({rank, *middle, pairs + 1 - rank})
    found = dict(zip(ranks, _differences(np.sort(x), np.sort(y), ranks), strict=True))
    return Shift(
        estimate=(found[middle[0]] + found[middle[1]]) / 2,
        lower=found[rank],
        upper=found[pairs + 1 - rank],
    )


def can_tell(m: int, n: int, confidence: float) -> bool:
    """Whether m and n different values could reject any shift at this confidence."""
    return m > 0 < n and m * n / 2 - 0.5 >= NormalDist().inv_cdf((1 + confidence) / 2) * sigma(m, n, 0)


def sigma(m: int, n: int, ties: float) -> float:
    """The standard deviation of the Mann–Whitney statistic of m and n values, of which so many are tied."""
    return sqrt(m * n / 12 * (m + n + 1 - ties / ((m + n) * (m + n - 1))))


def tied(sample: Floats) -> float:
    """The sum of t³ - t over the groups of t equal values."""
    counts = np.unique(sample, return_counts=True)[1].astype(np.float64)
    return float((counts**3 - counts).sum())


def _differences(x: Floats, y: Floats, ranks: list[int]) -> list[float]:
    """Of all differences of a value of `x` and one of `y` (both sorted), those with these ranks; 1 is the smallest."""
    if len(x) * len(y) > MOST_PAIRS:
        return [_by_counting(x, y, rank) for rank in ranks]
    differences = np.subtract.outer(x, y).ravel()
    places = [rank - 1 for rank in ranks]
    differences.partition(places)
    return [float(differences[place]) for place in places]


def _by_counting(x: Floats, y: Floats, rank: int) -> float:
    """The difference of this rank, without making all of them: halve the range in which it lies."""
    low, high = float(x[0] - y[-1]), float(x[-1] - y[0])
    for _ in range(_MOST_HALVINGS):
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        if _at_most(x, y, middle) >= rank:
            high = middle
        else:
            low = middle
    return low if _at_most(x, y, low) >= rank else high


def _at_most(x: Floats, y: Floats, limit: float) -> int:
    """How many differences are at most `limit`."""
    return int(np.searchsorted(x, y + limit, side="right").sum())
