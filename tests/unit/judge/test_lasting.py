"""Evidence that may fail a rollout without history lasts longer than clients retry; and it is never made larger."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.judge.arrays import Floats
from tidegate.judge.lasting import BURSTS, SPREAD, Stretches, could_be_one
from tidegate.judge.proportions import ERROR_HARMS, SHIFT_HARMS, Harms, Rows, Rules
from tidegate.judge.tracks import Pace
from tidegate.judge.two_proportions import Counts, Line

NOTHING = np.zeros(1)
EXPECTED = 0.5
"""Hits of a batch of 75 requests."""


def stretches(evidence: Sequence[float], length: int, excess: float = 0.0) -> Stretches:
    """After so much evidence at the end of each batch, in which there were so many hits too many."""
    state = Stretches.none(1, length)
    for one in evidence:
        state = state.after(np.array([one]), np.array([excess]), NOTHING, np.ones(1, dtype=np.bool_))
    return state


def left(evidence: Sequence[float], bursts: int, length: int = 2, excess: float = 0.0) -> float:
    return float(stretches(evidence, length, excess).lasting(np.array([float(bursts)]))[0])


def loudest(evidence: Sequence[float], bursts: int, length: int) -> float:
    """By how much it rose in the best separate stretches, by trying all."""
    whole = [0.0] * length + list(evidence)
    rose = [max(0.0, whole[end] - whole[end - length]) for end in range(length, len(whole))]
    choices = [
        sum(rose[end] for end in chosen)
        for chosen in product(range(len(rose)), repeat=bursts)
        if all(after - before >= length for before, after in pairwise(chosen))
    ]
    return max([*choices, *([loudest(evidence, bursts - 1, length)] if bursts else [])], default=0.0)


paths = st.lists(st.floats(-3, 12), min_size=1, max_size=7)


@given(paths, st.integers(0, BURSTS), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_what_is_left_out_is_what_rose_most_in_separate_stretches(path: list[float], bursts: int, length: int) -> None:
    expected = min(path[-1], SPREAD * (path[-1] - loudest(path, bursts, length))) if bursts else path[-1]
    assert left(path, bursts, length) == pytest.approx(expected)


@given(paths, st.integers(0, BURSTS), st.floats(0, 40))
@settings(max_examples=60, deadline=None)
def test_evidence_is_never_made_larger(path: list[float], bursts: int, excess: float) -> None:
    assert left(path, bursts, excess=excess) <= path[-1]


def test_evidence_of_one_stretch_is_none_and_what_goes_on_is() -> None:
    burst, harm = [3.0, 6.0] + [6.0] * 10, [0.5 * one for one in range(1, 25)]
    assert left(burst, bursts=2) == 0
    assert left(harm, bursts=2) == harm[-1]


@pytest.mark.parametrize(("excess", "expected", "part"), [(5, 0, 1), (16, 0, 0), (12, 0, 0.5), (16, 4, 1), (200, 9, 0)])
def test_many_more_hits_than_a_client_makes_are_left_in(excess: float, expected: float, part: float) -> None:
    assert could_be_one(np.array([excess]), np.array([expected])) == pytest.approx(part)


def rows_after(
    canary: Sequence[float], harms: Harms = ERROR_HARMS, history: int = 0, of: float = 75.0, usual: float = EXPECTED
) -> Rows:
    """A rollout's row after batches of 15 s with so many hits on the new deployment, and steady ones on the old."""
    pace = Pace.of(15.0)
    rows = Rows.new(1, harms, pace.horizon, pace.lengths)
    one = np.ones(1)
    for _ in range(history):
        rows = rows.learns(Counts(one * of, one * usual, one * of, one * usual))
    for hits in canary:
        counts = Counts(one * of, one * hits, one * of, one * usual)
        rows = rows.after(counts, Rules(Line(one, one * 0.0002), Line(one * 1.5, one * 0.02)))
    return rows


def evidence(rows: Rows) -> Floats:
    return np.array([float(rows.harm.log_total()[0]), float(rows.log_lasting()[0])])


CLIENT = [EXPECTED] * 8 + [5.0] * 4 + [EXPECTED] * 2


def test_a_client_that_retries_is_suspected_and_fails_nothing() -> None:
    whole, lasting = evidence(rows_after(CLIENT))
    assert whole > np.log(10)
    assert lasting < 0


def test_with_an_hour_of_history_evidence_counts_at_once() -> None:
    whole, lasting = evidence(rows_after(CLIENT, history=240))
    assert lasting == whole > 1
    assert np.diff(evidence(rows_after(CLIENT, history=120)))[0] < 0


def test_many_errors_count_at_once() -> None:
    whole, lasting = evidence(rows_after([4.0] * 8, usual=0.05))
    assert lasting == whole > 5


def test_what_does_not_come_in_bursts_counts_at_once() -> None:
    whole, lasting = evidence(rows_after(CLIENT, SHIFT_HARMS))
    assert lasting == whole > 1


def test_a_batch_without_data_changes_nothing() -> None:
    state = stretches([1.0, 2.0, 4.0], 2)
    after = state.after(np.array([9.0]), NOTHING, NOTHING, np.zeros(1, dtype=np.bool_))
    assert (after.past == state.past).all()
