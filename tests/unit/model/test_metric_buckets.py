"""Distributions with different buckets are compared by what can be told of all of them."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.metric import Spread
from tidegate.model.metric_buckets import aligned


def test_what_has_the_same_edges_stays_as_it_is() -> None:
    spreads = (Spread((1, 2), (3, 4, 5)), Spread((1, 2), (0, 0, 1)))
    assert aligned(spreads) == spreads


def test_edges_that_one_lacks_because_it_counts_nothing_there_are_edges_of_both() -> None:
    low, high = Spread((1, 2), (0, 7, 0)), Spread((4, 8), (0, 3, 0))
    assert aligned((low, high)) == (Spread((1, 2, 4, 8), (0, 7, 0, 0, 0)), Spread((1, 2, 4, 8), (0, 0, 0, 3, 0)))


def test_a_coarser_one_takes_the_finer_edges_away() -> None:
    fine, coarse = Spread((1, 1.5, 2), (0, 3, 4, 0)), Spread((1, 2), (0, 9, 0))
    assert aligned((fine, coarse)) == (Spread((1, 2), (0, 7, 0)), coarse)


def test_without_a_common_edge_there_is_one_bucket() -> None:
    assert aligned((Spread((5,), (2, 2)), Spread((6,), (1, 1)))) == (Spread((), (4,)), Spread((), (2,)))


def test_nothing_is_aligned_to_nothing() -> None:
    assert aligned(()) == ()


grids = st.lists(st.integers(0, 20), min_size=1, max_size=8, unique=True).map(sorted)


@given(st.lists(st.integers(-5, 25), max_size=60), st.lists(grids, min_size=1, max_size=4))
def test_of_the_same_values_all_say_the_same_and_nobody_says_what_is_not_so(
    values: list[int], all_edges: list[list[int]]
) -> None:
    def counted(edges: tuple[float, ...]) -> Spread:
        counts = [0] * (len(edges) + 1)
        for value in values:
            counts[bisect_left(edges, value)] += 1
        return Spread(edges, tuple(counts))

    found = aligned([counted(tuple(edges)) for edges in all_edges])
    assert {one.edges for one in found} == {found[0].edges}
    assert {one.counts for one in found} == {counted(found[0].edges).counts}
