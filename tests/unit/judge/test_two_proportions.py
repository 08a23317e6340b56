"""One batch's bet has an expectation of at most 1 wherever no harm is done, computed exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tidegate.judge.arrays import Floats
from tidegate.judge.two_proportions import Counts, Line, log_bets, nearest_on_line

sizes = st.integers(1, 25)
chances = st.floats(0.001, 0.999)


def row(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def bets(n_c: int, n_b: int, ratio: float, floor: float, baseline: float, canary: float) -> Floats:
    """The bet on each outcome: n_c + 1 rows of n_b + 1."""
    x_c, x_b = (one.ravel().astype(float) for one in np.meshgrid(np.arange(n_c + 1), np.arange(n_b + 1), indexing="ij"))
    count = len(x_c)
    counts = Counts(np.full(count, float(n_c)), x_c, np.full(count, float(n_b)), x_b)
    line = Line(np.full(count, ratio), np.full(count, floor))
    found = log_bets(counts, line, np.full((count, 1), baseline), np.full((count, 1), canary))
    result: Floats = np.exp(found).reshape(n_c + 1, n_b + 1)
    return result


def expectation(table: Floats, canary: float, baseline: float) -> float:
    n_c, n_b = table.shape[0] - 1, table.shape[1] - 1
    return float(binom.pmf(np.arange(n_c + 1), n_c, canary) @ table @ binom.pmf(np.arange(n_b + 1), n_b, baseline))


@given(sizes, sizes, st.floats(0.3, 3), st.floats(0, 0.3), chances, chances, st.lists(chances, min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_without_harm_the_expectation_is_at_most_1(
    n_c: int, n_b: int, ratio: float, floor: float, baseline: float, further: float, truths: list[float]
) -> None:
    limit = ratio * baseline + floor
    if limit >= 0.999:
        return
    table = bets(n_c, n_b, ratio, floor, baseline, limit + further * (0.9995 - limit))
    for truth in truths:
        for part in (1.0, 0.7):
            canary = part * min(1.0, ratio * truth + floor)
            assert expectation(table, canary, truth) <= 1 + 1e-6


@given(sizes, sizes, st.floats(1, 3), st.floats(0.001, 0.3), chances, st.floats(0, 0.99), chances)
@settings(max_examples=40, deadline=None)
def test_the_bet_on_safety_expects_at_most_1_wherever_harm_is_above_the_margin(
    n_c: int, n_b: int, ratio: float, floor: float, baseline: float, part: float, truth: float
) -> None:
    limit = ratio * baseline + floor
    canary = max(1e-6, part * min(limit, 0.999))
    table = bets(n_c, n_b, ratio, floor, baseline, canary)
    harmed = ratio * truth + floor
    if harmed <= 1:
        assert expectation(table, harmed, truth) <= 1 + 1e-6
        assert expectation(table, (harmed + 1) / 2, truth) <= 1 + 1e-6


def test_with_equal_chances_tolerated_the_nearest_point_is_the_pooled_rate() -> None:
    one = row(1)[:, None]
    found = nearest_on_line(300 * one, 100 * one, one, 0 * one, 0.01 * one, 0.05 * one)
    assert found[0, 0] == pytest.approx((300 * 0.01 + 100 * 0.05) / 400)


def test_the_nearest_point_is_nearer_than_its_neighbours() -> None:
    def divergence(n: float, t: float, p: float) -> float:
        return float(n * (t * np.log(t / p) + (1 - t) * np.log((1 - t) / (1 - p))))

    one = row(1)[:, None]
    ratio, floor, baseline, canary = 1.3, 0.01, 0.2, 0.6
    b = float(nearest_on_line(70 * one, 40 * one, ratio * one, floor * one, baseline * one, canary * one)[0, 0])
    far = [
        divergence(70, baseline, one) + divergence(40, canary, ratio * one + floor) for one in (b - 1e-4, b, b + 1e-4)
    ]
    assert far[1] == min(far)


@pytest.mark.parametrize(
    ("of", "hits", "other_of", "other_hits"),
    [(0, 0, 100, 3), (100, 3, 0, 0), (15_000, 0, 285_000, 0), (15_000, 15_000, 15_000, 15_000), (1, 1, 1, 0)],
)
def test_no_figures_make_it_stumble(of: float, hits: float, other_of: float, other_hits: float) -> None:
    counts = Counts(row(of), row(hits), row(other_of), row(other_hits))
    found = log_bets(counts, Line(row(1.0), row(0.0002)), row(1e-9)[:, None], np.array([[1e-6, 0.5, 1 - 1e-9]])[:, 1:2])
    assert np.isfinite(found).all()
    if not of or not other_of:
        assert (found == 0).all()


def test_a_limit_without_a_baseline_is_a_line_that_is_flat() -> None:
    counts = Counts(row(200), row(12), row(200), row(0))
    found = log_bets(counts, Line(row(1e-12), row(0.01)), row(0.01)[:, None], row(0.05)[:, None])[0, 0]
    assert found == pytest.approx(12 * np.log(5) + 188 * np.log(0.95 / 0.99), rel=1e-5)
