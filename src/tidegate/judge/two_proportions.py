"""What one batch says about two shares of requests: a bet whose expectation is at most 1 if no harm is done.

In a batch the canary has hits in x_c of n_c requests and the baseline in x_b of n_b, with the unknown chances c and b.
No harm means c <= r b + d (r: tolerated ratio, d: tolerated floor), and (t_b, t_c) is some harmful pair of chances that
was fixed before the batch. Of all pairs on the line c = r b + d let (b0, c0) be the one that is nearest to it by

    n_b KL(t_b || b) + n_c KL(t_c || c)      (Kullback, Leibler 1951).

Then the likelihood ratio (t_b, t_c) : (b0, c0) of the batch has an expectation of at most 1 under every harmless pair
(b, c), if the requests are independent: the logarithm of that expectation is

    n_b log(1 + (b - b0) s_b) + n_c log(1 + (c - c0) s_c),    s_b = (t_b - b0) / (b0 (1 - b0)), s_c likewise,

which is concave in (b, c), 0 at (b0, c0), and its gradient there, (n_b s_b, n_c s_c), is at a right angle to the line
and points away from the harmless side, because (b0, c0) is nearest. So on the harmless side it is nowhere above 0. This
holds whatever n_b and n_c are and however b and c move from batch to batch (Turner, Ly, Grünwald 2024, "Generic
e-variables for exact sequential k-sample tests"). The same bet with the sides of the line exchanged speaks against
harm: that is how a version passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.judge.arrays import Floats

_STEPS = 30
"""At most so many of Newton's; four or five are usual."""

_CLOSE = 1e-18
"""How far above its least the divergence may be (Newton's decrement, squared). Its root is about how much the
expectation of a bet may be above 1, so it is far below what a thousand batches would multiply to anything."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One batch of each of R rows: requests and hits on both sides. A side without data has no requests."""

    canary_of: Floats
    canary_hits: Floats
    baseline_of: Floats
    baseline_hits: Floats


@dataclass(frozen=True, slots=True)
class Line:
    """c = ratio b + floor, for each of R rows: what is still harmless."""

    ratio: Floats
    floor: Floats

    def at(self, baseline: Floats) -> Floats:
        """The canary's chance on the line."""
        result: Floats = self.ratio * baseline + self.floor
        return result


def log_bets(counts: Counts, line: Line, baseline: Floats, canary: Floats) -> Floats:
    """The logarithm of the bet on each of K pairs of chances: `baseline` and `canary` are R rows of K → R rows of K.

    Zero where a side has no requests, or where a pair lies on the line.
    """
    n_c, n_b = counts.canary_of[:, None], counts.baseline_of[:, None]
    x_c, x_b = counts.canary_hits[:, None], counts.baseline_hits[:, None]
    ratio, floor = line.ratio[:, None], line.floor[:, None]
    b0 = nearest_on_line(n_b, n_c, ratio, floor, baseline, canary)
    c0 = ratio * b0 + floor
    bets = (
        x_c * np.log(canary / c0)
        + (n_c - x_c) * np.log((1 - canary) / (1 - c0))
        + x_b * np.log(baseline / b0)
        + (n_b - x_b) * np.log((1 - baseline) / (1 - b0))
    )
    result: Floats = np.where((n_c > 0) & (n_b > 0), bets, 0.0)
    return result


def nearest_on_line(n_b: Floats, n_c: Floats, ratio: Floats, floor: Floats, baseline: Floats, canary: Floats) -> Floats:
    """b0: where on the line the divergence to (baseline, canary) is least; by Newton's method within a bracket."""
    across = (canary - floor) / ratio
    tiny = 1e-15
    least = np.maximum(np.maximum(0.0, -floor / ratio), np.minimum(baseline, across)) + tiny
    most = np.minimum(np.minimum(1.0, (1 - floor) / ratio) * (1 - 1e-12), np.maximum(baseline, across))
    most = np.maximum(most, least)
    weight_b, weight_c = np.maximum(n_b, 1e-9), np.maximum(n_c, 1e-9)
    guess = (weight_b * baseline + weight_c * (canary - floor)) / (weight_b + ratio * weight_c)
    inward = (most - least) / 20
    b = np.clip(guess, least + inward, most - inward)
    for _ in range(_STEPS):
        c = ratio * b + floor
        slope = weight_b * (b - baseline) / (b * (1 - b)) + ratio * weight_c * (c - canary) / (c * (1 - c))
        bend = weight_b * (baseline / b**2 + (1 - baseline) / (1 - b) ** 2)
        bend += ratio**2 * weight_c * (canary / c**2 + (1 - canary) / (1 - c) ** 2)
        least, most = np.where(slope < 0, b, least), np.where(slope > 0, b, most)
        if (slope**2 <= _CLOSE * bend).all():
            break
        following = b - slope / bend
        b = np.where((following >= least) & (following <= most), following, (least + most) / 2)
    return b
