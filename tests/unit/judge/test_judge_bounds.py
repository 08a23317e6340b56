"""A bound on a rate holds at all looks together, and closes in on the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.judge.bounds import NEVER, OFTEN, Odds, upper_bound


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (0, 200), (3, 100), (50, 100), (100, 100), (900, 100_000)])
def test_the_observed_rate_lies_below_the_bound(hits: int, trials: int) -> None:
    assert hits / trials <= upper_bound(hits, trials, 0.05) <= 1


def test_nothing_seen_means_nothing_known() -> None:
    assert upper_bound(0, 0, 0.05) == 1


def test_more_requests_at_the_same_rate_bring_the_bound_nearer() -> None:
    uppers = [upper_bound(times, 100 * times, 0.05) for times in (1, 10, 100)]
    assert uppers == sorted(uppers, reverse=True)


def test_much_that_was_seen_is_told_within_a_hundredth_by_odds_that_are_near() -> None:
    assert 0.05 < upper_bound(500_000, 10_000_000, 0.0005, OFTEN) < 0.0505 < upper_bound(500_000, 10_000_000, 0.0005)


@pytest.mark.parametrize(("rate", "odds"), [(0.01, NEVER), (0.2, NEVER), (0.2, OFTEN), (0.95, OFTEN)])
def test_the_bound_holds_at_all_looks_together(rate: float, odds: Odds) -> None:
    rng = np.random.default_rng(5)
    level, rollouts = 0.1, 150
    wrong = 0
    for _ in range(rollouts):
        hits = np.cumsum(rng.binomial(20, rate, 60))
        seen = [(int(hits[look]), 20 * (look + 1)) for look in range(0, 60, 6)]
        wrong += any(upper_bound(*counted, level, odds) < rate for counted in seen)
    assert wrong / rollouts <= level + 3 * (level * (1 - level) / rollouts) ** 0.5
