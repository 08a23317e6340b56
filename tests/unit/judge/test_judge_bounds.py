"""Bounds on a rate hold at all looks together, and close in on the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.judge.bounds import excludes_as_high_as, lower_bound, upper_bound


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (0, 200), (3, 100), (50, 100), (100, 100), (900, 100_000)])
def test_the_observed_rate_lies_between_the_bounds(hits: int, trials: int) -> None:
    assert 0 <= lower_bound(hits, trials, 0.05) <= hits / trials <= upper_bound(hits, trials, 0.05) <= 1


def test_nothing_seen_means_nothing_known() -> None:
    assert lower_bound(0, 0, 0.05) == 0
    assert upper_bound(0, 0, 0.05) == 1
    assert not excludes_as_high_as(0.99, 0, 0, 0.05)


def test_two_hundred_requests_without_an_error_exclude_two_percent_and_fifty_do_not() -> None:
    assert excludes_as_high_as(0.02, 0, 200, 0.04)
    assert not excludes_as_high_as(0.02, 0, 50, 0.04)


def test_a_rate_is_excluded_exactly_above_the_upper_bound() -> None:
    bound = upper_bound(4, 300, 0.05)
    assert excludes_as_high_as(bound + 1e-6, 4, 300, 0.05)
    assert not excludes_as_high_as(bound - 1e-6, 4, 300, 0.05)


def test_what_was_observed_itself_is_never_excluded() -> None:
    assert not excludes_as_high_as(0.5, 1_000_000, 2_000_000, 0.05)


def test_more_requests_at_the_same_rate_bring_the_bounds_nearer() -> None:
    uppers = [upper_bound(times, 100 * times, 0.05) for times in (1, 10, 100)]
    lowers = [lower_bound(times, 100 * times, 0.05) for times in (1, 10, 100)]
    assert uppers == sorted(uppers, reverse=True)
    assert lowers == sorted(lowers)


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_both_bounds_hold_at_all_looks_together(rate: float) -> None:
    rng = np.random.default_rng(5)
    level, rollouts = 0.1, 150
    wrong_lower = wrong_upper = 0
    for _ in range(rollouts):
        hits = np.cumsum(rng.binomial(20, rate, 60))
        looks = [(int(seen), 20 * (look + 1)) for look, seen in enumerate(hits)]
        wrong_upper += any(excludes_as_high_as(rate, seen, trials, level) for seen, trials in looks)
        wrong_lower += max(lower_bound(seen, trials, level) for seen, trials in looks[::6]) > rate
    slack = 3 * (level * (1 - level) / rollouts) ** 0.5
    assert wrong_lower / rollouts <= level + slack
    assert wrong_upper / rollouts <= level + slack
