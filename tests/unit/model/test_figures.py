"""Figures between two looks: what was counted since, and nothing where a counter began anew."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NEW, NOON, OLD, UNHURRIED

from tidegate.model.batches import LabelledSnapshot, cut_batches
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import Generation

EDGES = (1.0, 10.0)


def test_what_was_counted_since_is_the_difference_of_every_counter() -> None:
    before = Counters(100, 3, EDGES, (50, 40, 10), routed=105)
    after = Counters(160, 4, EDGES, (90, 55, 15), routed=170)
    assert after.since(before) == Counters(60, 1, EDGES, (40, 15, 5), routed=65)


def test_a_counter_that_went_backwards_is_no_data() -> None:
    before = Counters(100, 3, EDGES, (50, 40, 10))
    assert Counters(99, 3, EDGES, (50, 40, 10)).since(before) is None
    assert Counters(120, 2, EDGES, (60, 45, 15)).since(before) is None
    assert Counters(120, 3, EDGES, (49, 55, 16)).since(before) is None


def test_buckets_that_changed_their_edges_cannot_be_compared() -> None:
    assert Counters(9, 0, (1.0, 20.0), (3, 3, 3)).since(Counters(3, 0, EDGES, (1, 1, 1))) is None


def test_a_histogram_that_was_not_there_yet_began_at_zero() -> None:
    after = Counters(9, 0, EDGES, (3, 3, 3))
    assert after.since(Counters(0, 0)) == Counters(9, 0, EDGES, (3, 3, 3))


counters = st.builds(
    lambda buckets, errors: Counters(sum(buckets), min(errors, sum(buckets)), EDGES, tuple(buckets), sum(buckets)),
    st.lists(st.integers(0, 50), min_size=3, max_size=3),
    st.integers(0, 50),
)


@st.composite
def looks(draw: st.DrawFn) -> list[LabelledSnapshot]:
    """Looks at a canary's counters, in any steps and generations, with or without the other side."""
    taken: list[LabelledSnapshot] = []
    second = 0
    for _ in range(draw(st.integers(0, 8))):
        second += draw(st.integers(0, 3))
        known = {NEW: draw(counters)} | ({OLD: draw(counters)} if draw(st.booleans()) else {})
        generation = Generation(draw(st.integers(1, 2)))
        snapshot = Snapshot(NOON + timedelta(seconds=second), generation, known)
        taken.append(LabelledSnapshot(snapshot, draw(st.integers(0, 1)), draw(st.booleans())))
    return taken


@UNHURRIED
@given(taken=looks())
def test_no_request_is_in_two_batches_and_none_was_counted_that_did_not_happen(taken: list[LabelledSnapshot]) -> None:
    batches = cut_batches(taken, NEW, OLD)
    for before, after in pairwise(batches):
        assert before.end <= after.begin
    for batch in batches:
        assert batch.begin < batch.end
        for side in (batch.canary, batch.baseline):
            assert side is None or (side.requests >= 0 <= side.errors and sum(side.latency) == side.requests)


@UNHURRIED
@given(counted=counters, more=counters)
def test_what_is_counted_on_top_is_what_comes_out(counted: Counters, more: Counters) -> None:
    total = Counters(
        counted.requests + more.requests,
        counted.errors + more.errors,
        EDGES,
        tuple(a + b for a, b in zip(counted.latency, more.latency, strict=True)),
        counted.routed + more.routed,
    )
    assert total.since(counted) == more
