"""The running average over starts and alternatives is the sum that the proof is about, and keeps its level."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.judge.arrays import Floats
from tidegate.judge.mixture import FIRST_START, Evidence

KNOWN = np.array([True])


def total(bets: list[list[float]], horizon: float = 10.0) -> float:
    evidence = Evidence.none(1, np.array([0.3, 0.7]), horizon)
    for one in bets:
        evidence = evidence.after(np.log(np.array([one])), KNOWN)
    return float(np.exp(evidence.log_total()[0]))


def test_it_is_the_weighted_sum_over_starts() -> None:
    bets = [[2.0, 0.5], [3.0, 1.5], [0.25, 4.0]]
    later = [(1 - FIRST_START) * 10 / ((10 + j - 1) * (10 + j)) for j in (1, 2)]
    products = [np.prod(np.array(bets[start:]), axis=0) @ np.array([0.3, 0.7]) for start in range(3)]
    direct = FIRST_START * products[0] + later[0] * products[1] + later[1] * products[2] + 1 - FIRST_START - sum(later)
    assert total(bets) == pytest.approx(direct)


def test_before_the_first_batch_it_is_1() -> None:
    assert total([]) == 1


def test_bets_that_win_and_lose_nothing_leave_it_at_1() -> None:
    assert total([[1.0, 1.0]] * 50) == pytest.approx(1)


def test_a_batch_without_data_multiplies_by_1() -> None:
    evidence = Evidence.none(1, np.array([1.0]), 10.0).after(np.log(np.array([[3.0]])), KNOWN)
    after = evidence.after(np.log(np.array([[9.0]])), ~KNOWN)
    assert after.log_total() == evidence.log_total()


def test_late_harm_costs_the_weight_of_its_start_and_no_more() -> None:
    late = total([[0.5, 0.5]] * 40 + [[3.0, 3.0]] * 12, horizon=60.0)
    assert late > 3.0**12 * 0.5 * 60 / (100 * 101)


def test_looking_after_every_batch_keeps_the_level() -> None:
    rng = np.random.default_rng(2)
    rows, level = 2000, 0.1
    crossed: Floats = np.zeros(rows)
    evidence = Evidence.none(rows, np.array([0.5, 0.5]), 60.0)
    for _ in range(120):
        heads = rng.integers(0, 2, rows)
        bets = np.log(np.stack([np.where(heads, 1.5, 0.5), np.where(heads, 1.9, 0.1)], axis=1))
        evidence = evidence.after(bets, np.ones(rows, dtype=np.bool_))
        crossed = np.maximum(crossed, evidence.log_total() >= -np.log(level))
    assert 0.02 < crossed.mean() <= level + 3 * (level * (1 - level) / rows) ** 0.5
