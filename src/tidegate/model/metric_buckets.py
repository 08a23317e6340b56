"""Distributions whose buckets differ, brought to the same ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tidegate.model.metric import Spread


def aligned(spreads: Sequence[Spread]) -> tuple[Spread, ...]:
    """The same distributions with the same edges: the finest that can be told of all of them.

    A native histogram has edges only where it has counts, and gets coarser as it grows. An edge of one is one of all
    where it cuts no bucket of another that has a count; nothing is moved from one side of an edge to the other.
    Without a common edge all is overflow.
    """
    first = spreads[0].edges if spreads else ()
    if all(one.edges == first for one in spreads):
        return tuple(spreads)
    known = sorted({edge for one in spreads for edge in one.edges})
    edges = tuple(edge for edge in known if not any(_cuts(edge, one) for one in spreads))
    return tuple(_with_edges(one, edges) for one in spreads)


def above_zero(spread: Spread) -> Spread:
    """The same distribution without edges at zero and below: what lies there is in the first bucket."""
    left = sum(edge <= 0 for edge in spread.edges)
    if not left:
        return spread
    return Spread(spread.edges[left:], (sum(spread.counts[: left + 1]), *spread.counts[left + 1 :]))


def _cuts(edge: float, spread: Spread) -> bool:
    place = bisect_left(spread.edges, edge)
    return not (place < len(spread.edges) and spread.edges[place] == edge) and spread.counts[place] > 0


def _with_edges(spread: Spread, edges: tuple[float, ...]) -> Spread:
    counts = [0.0] * (len(edges) + 1)
    for upper, count in zip(spread.edges, spread.counts, strict=False):
        counts[bisect_left(edges, upper)] += count
    counts[-1] += spread.counts[-1]
    return Spread(edges, tuple(counts))
