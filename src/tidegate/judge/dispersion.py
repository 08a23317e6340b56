"""How much more than chance the counts of a service vary: errors come in bursts.

Independent requests vary as the binomial does; where one failure brings four more the variance is five times that, and
evidence that treats each as news is five times too sure of itself. The dispersion is estimated from what the counts of
one side do over time: of two spans of batches with x hits in all, the squared difference is compared with what chance
would make of x. Spans close to each other are compared, and each side with itself, so that neither harm nor a day's
pattern counts as dispersion; nor does what both sides do together. Spans of 1, 2, 4, … batches are looked at, because
a client that retries for two minutes is no burst within 15 seconds. The shorter ones and the longer ones make an
estimate each, which counts where it is certainly above 1; the larger does, and one from few hits is drawn towards
FIRST_GUESS.

Dividing the logarithm of the evidence by the dispersion is exact where hits come in clumps of one size, and the usual
correction elsewhere (quasi-likelihood: Wedderburn 1974; McCullagh, Nelder 1989, section 4.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.arrays import Flags, Floats
from tidegate.judge.two_proportions import Counts

FIRST_GUESS = 1.5
"""The dispersion of a service of which nothing is known."""

GUESS_HITS = 6.0
"""The first guess weighs as much as so many hits,"""

GUESS_PAIRS = 2.0
"""and at least as much as so many pairs of batches."""

DOUBT = 1.5
"""Standard errors by which an estimate must be above 1 to count, so that the larger of two is no accident."""

SHORT = 2
"""So many lengths of spans are short: an estimate is made of these together, and one of the longer ones."""

SHORTFALL = 4.0
"""How many times what is above 1 may be missing from it at first: a burst that is longer than the spans so far, or that
was not seen yet, is not in an estimate, and of the canary's rises only LARGEST_RISE is."""

CERTAIN = 3.0
"""Standard errors by which both sides change together that have something in common, such as an incident."""

LARGEST_RISE = 4.0
"""How much a rise of the canary's hits may count, in variances."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The running estimate of R rows, from spans of L lengths (1, 2, 4, … batches) on 2 sides.

    `past` are sums since the beginning, at the end of each of the latest P batches, the newest first: requests and
    hits by side (P x 2 x 2 x R). `squares` and `expected` are sums over pairs of spans (L x R), `expected_squares` is
    that of the latter's squares.
    """

    past: Floats
    squares: Floats
    expected: Floats
    expected_squares: Floats

    @classmethod
    def unknown(cls, rows: int, lengths: int) -> Dispersion:
        """Before anything was counted."""
        sums = np.zeros((lengths, rows))
        return cls(np.zeros((3 * 2 ** (lengths - 1) + 1, 2, 2, rows)), sums, sums, sums)

    def after(self, counts: Counts, *, harmless: bool = False) -> Dispersion:
        """With one more batch; `harmless` where both sides ran the same version, so that no rise can be harm."""
        of = np.stack([counts.canary_of, counts.baseline_of])
        hits = np.stack([counts.canary_hits, counts.baseline_hits])
        past = np.concatenate([(self.past[0] + np.stack([of, hits]))[None], self.past[:-1]])
        lengths = 2 ** np.arange(len(self.expected))
        # a span is compared with the last but one before it: a burst that straddles two neighbours hides its size
        most = np.inf if harmless else LARGEST_RISE
        squares, expected = _compared(past[0] - past[lengths], past[2 * lengths] - past[3 * lengths], most)
        return Dispersion(past, self.squares + squares, self.expected + expected, self.expected_squares + expected**2)

    def pairs(self) -> Floats:
        """How many independent pairs of spans the estimates are from, L x R: fewer where some weigh more than others
        (Kish 1965), and spans overlap (as in the overlapping Allan variance)."""
        lengths = 2 ** np.arange(len(self.expected))[:, None]
        even = np.divide(
            self.expected**2, self.expected_squares, out=np.ones_like(self.expected), where=self.expected_squares > 0
        )
        return even * _PAIRS_A_SPAN / np.maximum(lengths, _PAIRS_A_SPAN)

    def forgets_counts(self, rows: Flags) -> Dispersion:
        """Of the `rows`, what is counted from now on is not compared with what was counted before."""
        return replace(self, past=np.where(rows, self.past[0], self.past))

    def factor(self, unknown: Floats | float = 0.0) -> Floats:
        """By how much to divide the logarithm of the evidence of harm; at least 1.

        `unknown` (R, from 1 without history to 0 with enough) is how much may be missing from the estimate.
        """
        guessed = np.maximum(GUESS_HITS / 2, GUESS_PAIRS * self.expected[0] / np.maximum(self.pairs()[0], 1.0))
        shortest = (self.squares[0] + FIRST_GUESS * guessed) / (self.expected[0] + guessed)
        found = 1 + (self.surely() - 1) * (1 + SHORTFALL * unknown)
        result: Floats = np.maximum(shortest, found)
        return result

    def surely(self) -> Floats:
        """The dispersion as far as it was certainly found, without a guess; at least 1."""
        pairs = self.pairs()
        shorter, longer = (self._together(pairs, slice(0, SHORT)), self._together(pairs, slice(SHORT, None)))
        result: Floats = np.maximum(shorter, longer)
        return result

    def _together(self, pairs: Floats, some: slice) -> Floats:
        """One estimate from some lengths of spans, each weighing by how many independent ones there are."""
        lengths = 2.0 ** np.arange(len(self.expected))[some, None]
        if not len(lengths):
            return np.ones(self.expected.shape[1])
        squares, expected = (self.squares[some] / lengths).sum(axis=0), (self.expected[some] / lengths).sum(axis=0)
        found = np.divide(squares, expected, out=np.zeros_like(squares), where=expected > 0)
        surely = found * (1 - DOUBT * np.sqrt(2 / np.maximum(pairs[some][0], 1.0))) > 1
        return np.where(surely, found, 1.0)


_PAIRS_A_SPAN = 1.5
"""How many independent pairs there are in as many overlapping ones as a span is long (Overlapping Allan variance)."""


def _compared(now: Floats, before: Floats, most: float) -> tuple[Floats, Floats]:
    """Squared differences between spans, and what chance makes of them (each L x R)."""
    n, x, m, y = now[:, 0], now[:, 1], before[:, 0], before[:, 1]
    usable = (m > 0) & (n > 0) & (x + y > 0) & (x + y < n + m)
    rate = np.divide(x + y, n + m, out=np.zeros_like(x), where=usable)
    spread = np.where(usable, rate * (1 - rate) * (1 / np.maximum(n, 1.0) + 1 / np.maximum(m, 1.0)), 1.0)
    change = np.where(usable, x / np.maximum(n, 1.0) - y / np.maximum(m, 1.0), 0.0)
    expected = np.where(usable, (x + y) * (1 - rate) / 2, 0.0)
    both: Flags = np.logical_and(usable[:, 0], usable[:, 1])
    apart = _without_common(change, spread, both)
    squares = apart**2
    # nor is harm that begins: of the canary's rises only so much counts
    squares[:, 0] = np.where(apart[:, 0] > 0, np.minimum(squares[:, 0], most), squares[:, 0])
    squares[:, 1] = np.where(both, squares[:, 0], squares[:, 1])
    weight: Floats = expected.sum(axis=1)
    return (squares * expected).sum(axis=1), weight


def _without_common(change: Floats, spread: Floats, both: Flags) -> Floats:
    """Changes of shares in standard errors, by side, without what both sides do together, which is no dispersion.

    Of small changes the difference of the sides' own is taken, so that a small side's chance does not hide the bursts
    of a large one. Where both certainly moved one way, as in a common incident, their shares moved alike, and not by as
    many of each side's own standard errors.
    """
    apart: Floats = change / np.sqrt(spread)
    together = both & (apart.prod(axis=1) > 0) & (np.abs(apart).min(axis=1) > CERTAIN)
    of_sides = (apart - apart[:, ::-1]) / np.sqrt(2)
    of_shares = (change - change[:, ::-1]) / np.sqrt(spread.sum(axis=1, keepdims=True))
    result: Floats = np.where(together[:, None], of_shares, np.where(both[:, None], of_sides, apart))
    return result
