"""The estimate and interval of a shift are what the Mann–Whitney test itself says, however they are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from tidegate.judge.mann_whitney import shift as module
from tidegate.judge.mann_whitney.shift import Floats, can_tell, shift

CONFIDENCE = 0.98


def rejects(x: Floats, y: Floats, by: float) -> bool:
    """Whether the test rejects that `x` lies above `y` by so much."""
    return bool(mannwhitneyu(x - by, y, method="asymptotic").pvalue <= 1 - CONFIDENCE)


def sample(seed: int, m: int, n: int, *, ties: bool) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    x, y = random.lognormal(2.0, 0.5, m), random.lognormal(1.8, 0.5, n)
    return (np.round(x), np.round(y)) if ties else (x, y)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("m", "n"), [(5, 5), (6, 9), (30, 30), (60, 12)])
def test_the_interval_holds_just_the_shifts_that_the_test_does_not_reject(m: int, n: int, ties: bool) -> None:
    for seed in range(3):
        x, y = sample(seed, m, n, ties=ties)
        found = shift(x, y, CONFIDENCE)
        assert can_tell(m, n, CONFIDENCE)
        assert not rejects(x, y, found.lower + 1e-7)
        assert not rejects(x, y, found.upper - 1e-7)
        assert rejects(x, y, found.lower - 1e-7)
        assert rejects(x, y, found.upper + 1e-7)


def test_the_estimate_is_the_median_of_all_differences() -> None:
    x, y = sample(1, 7, 5, ties=False)
    assert shift(x, y, CONFIDENCE).estimate == pytest.approx(float(np.median(np.subtract.outer(x, y))))


def test_what_was_computed_by_hand() -> None:
    """m = n = 6 without ties: 36 / 2 - 0.5 - 2.326 * sqrt(36 / 12 * 13) is 2.97, so the ends are the third from each
    end of the differences."""
    x, y = np.arange(11.0, 67.0, 11.0), np.arange(1.0, 7.0)
    found = shift(x, y, CONFIDENCE)
    assert (found.lower, found.upper) == (11.0 - 4.0, 66.0 - 3.0)
    assert found.estimate == pytest.approx(float(np.median(np.subtract.outer(x, y))))


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (4, 4)])
def test_few_values_reject_nothing_and_the_interval_is_all_that_was_seen(m: int, n: int) -> None:
    x, y = sample(2, m, n, ties=False)
    found = shift(x, y, CONFIDENCE)
    assert not can_tell(m, n, CONFIDENCE)
    assert found.lower == pytest.approx(x.min() - y.max())
    assert found.upper == pytest.approx(x.max() - y.min())


@pytest.mark.parametrize("ties", [False, True])
def test_many_values_are_counted_with_the_same_result(monkeypatch: pytest.MonkeyPatch, ties: bool) -> None:
    x, y = sample(3, 80, 70, ties=ties)
    written_down = shift(x, y, CONFIDENCE)
    monkeypatch.setattr(module, "MOST_PAIRS", 10)
    counted = shift(x, y, CONFIDENCE)
    assert counted.lower == pytest.approx(written_down.lower, abs=1e-9)
    assert counted.upper == pytest.approx(written_down.upper, abs=1e-9)
    assert counted.estimate == pytest.approx(written_down.estimate, abs=1e-9)


def test_a_thousand_million_differences_need_neither_memory_nor_minutes() -> None:
    x, y = sample(4, 30_000, 30_000, ties=False)
    found = shift(x, y, CONFIDENCE)
    assert found.lower < found.estimate < found.upper < found.lower + 0.3
