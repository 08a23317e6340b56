"""Histograms as shares of requests above edges: of latency p50, p90, p95 and p99, or of any other distribution.

For each quantile the bucket edge is taken that is nearest to it on the baseline, as far as the baseline was known
*before* the batch, and the requests above that edge are compared as errors are. A canary that is `tolerance` slower has
as many requests above the edge e as the baseline has above e / (1 + tolerance); how many times as many these are is
read off the baseline's earlier batches too, by interpolation within a bucket, so that coarse buckets cost power, and
not the guarantee: as many above the same edge is harmless in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.arrays import Floats, Places
from tidegate.judge.proportions import SHIFT_HARMS, Rows, Rules
from tidegate.judge.two_proportions import Counts, Line

QUANTILES = (0.5, 0.9, 0.95, 0.99)
"""What is looked at where nobody says otherwise."""

LEAST_KNOWN = 50.0
"""Requests to the baseline before anything is read off its histogram."""

_REMEMBERED = 2000.0
"""Requests to the baseline after which older ones begin to be forgotten."""

_MEMORY = 0.97
_STAYS = np.log(1.5)
"""An edge is left for another that is nearer to the quantile by this factor."""

_NONE = -1


@dataclass(frozen=True, slots=True)
class Slowness:
    """How many times as great a value may be, and must be excluded to be."""

    tolerated: Floats
    margin: Floats
    floor: Floats
    """Of all requests, for each row."""

    margin_floor: float = 0.004


@dataclass(frozen=True, slots=True)
class Histograms:
    """Of R metrics with the same E edges and Q quantiles: the baseline and the canary as far as they are remembered
    (R x E + 1), the edge of each quantile (R x Q, -1 where none is chosen yet), and its rows, R x Q of them.

    Requests are compared above an edge that lies `least` higher, in the histogram's unit: where that much more is
    harmless, nothing is to be learned of what is faster."""

    edges: Floats
    quantiles: Floats
    baseline: Floats
    canary: Floats
    edge: Places
    rows: Rows
    least: float = 0.0

    @classmethod
    def new(
        cls, metrics: int, edges: Floats, quantiles: Floats, horizon: float, lengths: int, least: float = 0.0
    ) -> Histograms:
        """Before the first batch."""
        nothing = np.zeros((metrics, len(edges) + 1))
        return cls(
            edges,
            quantiles,
            nothing,
            nothing,
            np.full((metrics, len(quantiles)), _NONE),
            Rows.new(metrics * len(quantiles), SHIFT_HARMS, horizon, lengths),
            least,
        )

    @property
    def compared(self) -> Places:
        """The edges above which requests are compared, R x Q; the first one where none is chosen yet."""
        wanted = self.edges[np.maximum(self.edge, 0)] + self.least
        return np.minimum(np.searchsorted(self.edges, wanted * (1 - 1e-9)), len(self.edges) - 1)

    def learns(self, canary: Floats, baseline: Floats) -> Histograms:
        """With a batch in which both sides ran the same version (each R x E + 1)."""
        ready = self.chosen()
        return replace(ready._remembers(canary, baseline), rows=ready.rows.learns(ready._counts(canary, baseline)))

    def after(self, canary: Floats, baseline: Floats, slowness: Slowness) -> Histograms:
        """With one more batch; a side without data has no counts."""
        ready = self.chosen()
        rules = ready._rules(slowness)
        rate = ready.above().ravel()
        rows = ready.rows.after(ready._counts(canary, baseline), rules, rate)
        return replace(ready._remembers(canary, baseline), rows=rows)

    def forgets_canary(self) -> Histograms:
        """Before the new version: what ran on its side until now was another."""
        return replace(self, canary=np.zeros_like(self.canary))

    def _remembers(self, canary: Floats, baseline: Floats) -> Histograms:
        both = self.baseline.sum(axis=1) > _REMEMBERED
        keep = np.where(both, _MEMORY, 1.0)[:, None]
        return replace(self, baseline=self.baseline * keep + baseline, canary=self.canary * keep + canary)

    def chosen(self) -> Histograms:
        """With the edges as they are now nearest to the quantiles."""
        target = np.log(1 - self.quantiles)[None, :, None]
        shares = self._shares()[:, None, :]
        far = np.abs(np.log(shares) - target)
        # an edge below nearly all requests can show no harm, and none can be excluded above it
        far = np.where(shares > 1 - self.quantiles[None, :, None] / 2, np.inf, far)
        nearest = np.where(np.isinf(far).all(axis=2), len(self.edges) - 1, far.argmin(axis=2))
        best = np.take_along_axis(far, nearest[:, :, None], axis=2)[:, :, 0]
        current = np.take_along_axis(far, np.maximum(self.edge, 0)[:, :, None], axis=2)[:, :, 0]
        known = (self.baseline.sum(axis=1) >= LEAST_KNOWN)[:, None]
        leaves = known & ((self.edge == _NONE) | (current > best + _STAYS))
        changed = leaves & (nearest != self.edge)
        if not changed.any():
            return self
        return replace(self, edge=np.where(changed, nearest, self.edge), rows=self.rows.forgets(changed.ravel()))

    def _shares(self) -> Floats:
        """The baseline's share above each edge, R x E."""
        total = self.baseline.sum(axis=1, keepdims=True)
        above = total - np.cumsum(self.baseline[:, :-1], axis=1)
        result: Floats = (np.maximum(above, 0.0) + 0.5) / (total + 1.0)
        return result

    def above(self) -> Floats:
        """The baseline's share above the edges of the rows, R x Q."""
        return self._above(self.compared)

    def _above(self, edge: Places) -> Floats:
        """The baseline's share above the edges of the rows, R x Q."""
        total = self.baseline.sum(axis=1, keepdims=True)
        result: Floats = (_above(self.baseline, np.maximum(edge, 0)) + 0.5) / (total + 1.0)
        return result

    def _counts(self, canary: Floats, baseline: Floats) -> Counts:
        chosen = self.edge != _NONE
        at = self.compared
        sides = []
        for side in (canary, baseline):
            of = np.broadcast_to(side.sum(axis=1, keepdims=True), chosen.shape) * chosen
            sides += [of.ravel(), (_above(side, at) * chosen).ravel()]
        return Counts(*sides)

    def _rules(self, slowness: Slowness) -> Rules:
        share = self.above()
        tolerated = self.above_faster(slowness.tolerated)
        margin = np.minimum(self.above_faster(slowness.margin), (1 + share) / 2)
        return Rules(
            Line((tolerated / share).ravel(), slowness.floor),
            Line((margin / share).ravel(), slowness.floor + slowness.margin_floor),
        )

    def above_faster(self, times: Floats) -> Floats:
        """The baseline's share above the edges of the rows if these were so many times (and `least`) lower, R x Q."""
        at = self.compared
        edge = self.edges[at]
        faster = np.minimum(edge / times[:, None], np.maximum(edge - self.least, 0.0))
        high = np.clip(np.searchsorted(self.edges, faster), 0, len(self.edges) - 1)
        low = high - 1
        upper = self.edges[high]
        lower = np.where(low >= 0, self.edges[np.maximum(low, 0)], 0.0)
        part = np.clip((upper - faster) / (upper - lower), 0.0, 1.0)
        total = np.broadcast_to(self.baseline.sum(axis=1, keepdims=True), at.shape)
        above_low = np.where(low >= 0, _above(self.baseline, np.maximum(low, 0)), total)
        above_high = _above(self.baseline, high)
        share = (above_high + part * (above_low - above_high) + 0.5) / (total + 1.0)
        return np.maximum(share, self._above(at))


def above_edges(histogram: Floats, edges: Places) -> Floats:
    """The counts of one histogram (E + 1) above each of these edges (Q)."""
    result: Floats = _above(histogram[None], edges[None])[0]
    return result


def quantiles_of(edges: Floats, counts: Floats, quantiles: Floats) -> Floats:
    """Quantiles of R histograms (R x E + 1) by interpolation within a bucket, at most the last edge; NaN of nothing."""
    total = counts.sum(axis=1)
    reached = np.cumsum(counts, axis=1)
    wanted = quantiles[None, :] * total[:, None]
    place = (reached[:, None, :] < wanted[:, :, None] - 1e-12 * total[:, None, None]).sum(axis=2)
    inside = np.minimum(place, len(edges) - 1)
    lower = np.where(inside > 0, edges[np.maximum(inside - 1, 0)], 0.0)
    count = np.take_along_axis(counts, inside, axis=1)
    before = np.take_along_axis(reached, inside, axis=1) - count
    part = np.clip(np.divide(wanted - before, count, out=np.zeros_like(wanted), where=count > 0), 0.0, 1.0)
    value = np.where(place >= len(edges), edges[-1], lower + part * (edges[inside] - lower))
    result: Floats = np.where(total[:, None] > 0, value, np.nan)
    return result


def _above(histogram: Floats, edge: Places) -> Floats:
    total = histogram.sum(axis=1, keepdims=True)
    result: Floats = np.maximum(total - np.take_along_axis(np.cumsum(histogram, axis=1), edge, axis=1), 0.0)
    return result
