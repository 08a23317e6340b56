"""Evidence that may be looked at after every batch, at a stated error level.

A bet whose expectation is at most 1 under no harm multiplies the evidence of each alternative. The product is a
nonnegative supermartingale, so the probability that it *ever* reaches z is at most 1 / z (Ville 1939): looking after
every batch costs nothing. An average of such products is one as well. It is taken

- over the alternatives (sizes of harm), and
- over the batch with which the harm may have begun: three quarters of the weight are on the first, because a
  new version is mostly bad from the beginning, the last quarter on all later ones, w_j = H / (4 (H + j - 1) (H + j)).

    M_n = sum over j <= n of w_j (product of the bets j … n) + (1 - sum over j <= n of w_j)

needs no memory of the batches: M is carried on as M_n = (M_{n-1} + w_n) bet_n. What lies in the weights that have not
begun is not lost, it is held back (Vovk, Wang 2021; Shekhar, Ramdas 2023 for start times). A batch without data
multiplies by 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.arrays import Flags, Floats

FIRST_START = 0.75
"""The weight of harm that is there from the beginning."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of R rows and K alternatives: the logarithm of what has begun (R x K), and how many batches had data (R)."""

    log_begun: Floats
    batches: Floats
    log_weights: Floats
    """Of the alternatives."""

    horizon: float
    """H of the weights of starts, in batches."""

    @classmethod
    def none(cls, rows: int, weights: Floats, horizon: float) -> Evidence:
        """Before the first batch; the weights of the alternatives add up to 1."""
        return cls(np.full((rows, len(weights)), -np.inf), np.zeros(rows), np.log(weights), horizon)

    def after(self, log_bets: Floats, known: Flags) -> Evidence:
        """With the bets of one more batch (R x K), of the rows that are `known`."""
        begins = np.log(self._begins())[:, None]
        carried = np.logaddexp(self.log_begun, begins) + log_bets
        begun = np.where(known[:, None], carried, self.log_begun)
        return replace(self, log_begun=begun, batches=self.batches + known)

    def log_total(self) -> Floats:
        """The logarithm of the whole evidence, the average over alternatives: R values."""
        begun = np.logaddexp.reduce(self.log_begun + self.log_weights, axis=1)
        result: Floats = np.logaddexp(begun, np.log(self._held_back()))
        return result

    def _begins(self) -> Floats:
        later = (1 - FIRST_START) * self.horizon / ((self.horizon + self.batches - 1) * (self.horizon + self.batches))
        return np.where(self.batches == 0, FIRST_START, later)

    def _held_back(self) -> Floats:
        later = (1 - FIRST_START) * self.horizon / (self.horizon + np.maximum(self.batches - 1, 0))
        return np.where(self.batches == 0, 1.0, later)
