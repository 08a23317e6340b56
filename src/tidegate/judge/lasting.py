"""Evidence that lasts: what is left of it without the few minutes that speak loudest.

Of clients that retry nobody knows beforehand how often they will come. While one does, for a minute or two, it looks
like harm on the side that it hits; then it ends, where harm goes on. So where no history tells how much a service's
counts vary, evidence must be spread over time: without the separate stretches of two minutes in which it rose most
(BURSTS of them, later FEWER_BURSTS), 1 / SPREAD of its logarithm must be left.

A stretch is left out only as far as its hits may be such clients' (`could_be_one`). Where many more requests fail at
once it stays evidence: a version that fails 5% of many requests is seen as soon as ever.

By this the evidence only ever becomes smaller, so that its guarantee for independent requests is kept. To leave out the
largest parts of a sum is to trim it (Tukey 1962; Huber 1964); the stretches are found by dynamic programming. The
constants were chosen by playing clients that retry for 30 to 120 seconds, beside harm of several sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.arrays import Flags, Floats

STRETCHES_A_QUARTER = 7.5
"""There are so many stretches of two minutes in a quarter of an hour."""

BURSTS, FEWER_BURSTS = 3, 2
"""How many stretches are left out while less than a quarter of an hour is known, and while less than an hour is."""

SPREAD = 4.0
"""How many times as large as what is left the logarithm of the evidence may be."""

ONE_CLIENT = 8.0
"""So many hits of a stretch, beyond those to be expected, may be one client's,"""

MANY_CLIENTS = 10.0
"""and so many more times the root of those to be expected: where there are more errors, more clients retry."""

_EVIDENCE, _EXCESS, _EXPECTED, _BEST = 0, 1, 2, 3
"""What is remembered of each batch; the best of 0, 1, … stretches come last."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """What the evidence of R rows rose by in the stretches in which it rose most.

    `past` is what there was at the end of each of the latest L batches, the newest first: the logarithm of the
    evidence; sums of hits beyond what was to be expected, and of these; and by how much the evidence rose in the best
    0 … BURSTS separate stretches, all in logarithms (L x 4 + BURSTS x R).
    """

    past: Floats

    @classmethod
    def none(cls, rows: int, length: int) -> Stretches:
        """Before the first batch; a stretch is `length` batches long."""
        return cls(np.zeros((length, _BEST + BURSTS + 1, rows)))

    def after(self, log_evidence: Floats, excess: Floats, expected: Floats, known: Flags) -> Stretches:
        """With one more batch, of the rows that are `known`: the evidence now, and the batch's hits (R each)."""
        newest, oldest = self.past[0], self.past[-1]
        now = np.empty_like(newest)
        now[_EVIDENCE] = log_evidence
        now[_EXCESS] = newest[_EXCESS] + excess
        now[_EXPECTED] = newest[_EXPECTED] + expected
        rose = np.maximum(log_evidence - oldest[_EVIDENCE], 0.0)
        rose = rose * could_be_one(now[_EXCESS] - oldest[_EXCESS], now[_EXPECTED] - oldest[_EXPECTED])
        now[_BEST] = 0.0
        now[_BEST + 1 :] = np.maximum(newest[_BEST + 1 :], rose + oldest[_BEST:-1])
        past = np.concatenate([now[None], self.past[:-1]])
        return replace(self, past=np.where(known, past, self.past))

    def lasting(self, bursts: Floats) -> Floats:
        """The logarithm of the evidence as far as it lasts, without so many stretches (R)."""
        evidence, best = self.past[0, _EVIDENCE], self.past[0, _BEST:]
        left = evidence - np.take_along_axis(best, bursts.astype(np.intp)[None], axis=0)[0]
        result: Floats = np.where(bursts > 0, np.minimum(evidence, SPREAD * left), evidence)
        return result


def could_be_one(excess: Floats, expected: Floats) -> Floats:
    """Which part of a stretch's evidence may be due to clients that retry: none where there are many more hits."""
    most = ONE_CLIENT + MANY_CLIENTS * np.sqrt(np.maximum(expected, 0.0))
    return np.clip(2 - excess / most, 0.0, 1.0)
