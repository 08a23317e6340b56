"""Bursts are dispersion; harm, a common incident, and the first rise of errors are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tidegate.judge.arrays import Floats
from tidegate.judge.dispersion import FIRST_GUESS, Dispersion
from tidegate.judge.two_proportions import Counts

Draw = Callable[[np.random.Generator, Floats], Floats]
ROWS = 40


def alone(rng: np.random.Generator, expected: Floats) -> Floats:
    return rng.poisson(expected).astype(np.float64)


def clumps(rng: np.random.Generator, expected: Floats) -> Floats:
    return 5.0 * rng.poisson(expected / 5).astype(np.float64)


def estimate(draw: Draw, canary: Floats, baseline: Floats, lengths: int = 4, times: int = 1) -> float:
    """The median over 40 rows after batches with these expected hits of 1,000 requests.

    The baseline has so many times the requests, and the hits.
    """
    rng = np.random.default_rng(4)
    of = np.full(ROWS, 1000.0)
    found = Dispersion.unknown(ROWS, lengths)
    for one, other in zip(canary, baseline * times, strict=True):
        found = found.after(Counts(of, draw(rng, np.full(ROWS, one)), of * times, draw(rng, np.full(ROWS, other))))
    return float(np.median(found.factor()))


STEADY = np.full(120, 8.0)


def test_independent_errors_have_none() -> None:
    assert estimate(alone, STEADY, STEADY) < 1.2


def test_clumps_of_five_are_found() -> None:
    assert 4 < estimate(clumps, STEADY, STEADY) < 7


def test_what_was_found_is_taken_for_more_while_much_is_unknown() -> None:
    rng, of = np.random.default_rng(4), np.full(ROWS, 1000.0)
    burst, calm = Dispersion.unknown(ROWS, 4), Dispersion.unknown(ROWS, 4)
    for one in STEADY:
        expected = np.full(ROWS, one)
        burst = burst.after(Counts(of, clumps(rng, expected), of, clumps(rng, expected)))
        calm = calm.after(Counts(of, alone(rng, expected), of, alone(rng, expected)))
    assert np.median(burst.factor(1.0)) > 3 * np.median(burst.factor())
    assert np.median(calm.factor(1.0)) < 1.2


def test_where_nothing_is_known_something_is_guessed() -> None:
    assert Dispersion.unknown(1, 4).factor() == pytest.approx(FIRST_GUESS)


def test_steady_harm_is_no_dispersion() -> None:
    assert estimate(alone, STEADY * 10, STEADY) < 1.3


@pytest.mark.parametrize("times", [1, 4, 19])
def test_an_incident_on_both_sides_is_no_dispersion(times: int) -> None:
    """Whatever the split is: a side with more requests has smaller standard errors, and not another incident."""
    both = np.concatenate([np.full(60, 4.0), np.full(20, 80.0), np.full(40, 4.0)])
    assert estimate(alone, both, both, times=times) < 1.6


@pytest.mark.parametrize("times", [4, 19])
def test_clumps_are_found_at_uneven_splits_too(times: int) -> None:
    assert 3.5 < estimate(clumps, STEADY, STEADY, times=times) < 7


def test_harm_that_begins_does_not_hide_itself_for_long() -> None:
    harmed = np.concatenate([np.full(100, 4.0), np.full(20, 400.0)])
    assert estimate(alone, harmed, np.full(120, 4.0)) < 60


def test_a_client_that_retries_for_minutes_is_found_over_longer_spans() -> None:
    rng = np.random.default_rng(6)
    of = np.full(ROWS, 1000.0)
    hits = rng.poisson(1.0, (2, 240, ROWS)).astype(np.float64)
    for side in range(2):
        for begin in rng.integers(0, 232, 40):
            hits[side, begin : begin + 6, rng.integers(0, ROWS, ROWS // 2)] += 2
    short, long = Dispersion.unknown(ROWS, 1), Dispersion.unknown(ROWS, 5)
    for batch in range(240):
        counts = Counts(of, hits[0, batch], of, hits[1, batch])
        short, long = short.after(counts), long.after(counts)
    assert np.median(long.factor()) > 1.5 * np.median(short.factor())
