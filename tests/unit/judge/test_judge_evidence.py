"""The evidence of harm keeps its error level however often one looks, and grows where harm is done."""

from __future__ import annotations

from math import comb, exp, log

import numpy as np
import pytest

from tidegate.judge.evidence import (
    MOST_A_BATCH,
    ODDS,
    Floats,
    log_evidence,
    log_evidence_path,
    log_products_since,
    log_start_weights,
)


def column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def log_evidence_since(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    return log_products_since(hits, trials, chance) + log_start_weights(trials)


def expected_evidence(new: int, old: int, failed: int) -> Floats:
    """Averages each alternative's evidence over all ways in which `failed` errors can fall on the two sides."""
    chance = column(new / (new + old))
    total = np.zeros(len(ODDS))
    for hits in range(max(0, failed - old), min(new, failed) + 1):
        probability = comb(new, hits) * comb(old, failed - hits) / comb(new + old, failed)
        assert log_evidence(column(failed), column(failed), chance).shape == (len(ODDS), 1)
        total += probability * np.exp(log_evidence(column(hits), column(failed), chance)[:, 0])
    return total


@pytest.mark.parametrize(("new", "old", "failed"), [(5, 95, 1), (5, 95, 40), (50, 50, 3), (50, 50, 60), (1, 9, 10)])
def test_without_harm_a_batch_multiplies_the_evidence_by_at_most_1_on_average(new: int, old: int, failed: int) -> None:
    assert np.all(expected_evidence(new, old, failed) <= 1 + 1e-9)


def test_a_batch_in_which_nothing_failed_changes_nothing() -> None:
    assert np.all(log_evidence(column(0), column(0), column(0.2)) == 0)


def test_evidence_is_the_likelihood_ratio_of_the_odds() -> None:
    (got,) = log_evidence(column(3), column(4), column(0.25))[2]
    raised = 5 * 0.25 / (1 + 4 * 0.25)
    assert got == pytest.approx(3 * log(raised / 0.25) + 1 * log((1 - raised) / 0.75))


def test_harm_that_begins_late_is_dated_to_its_beginning() -> None:
    hits = column(*[1] * 30, *[9] * 10)
    since = log_products_since(hits, np.full(40, 10.0), np.full(40, 0.1))
    assert abs(int(np.argmax(since)) - 30) <= 1
    assert since.max() > since[0]


def test_a_batch_speaks_for_no_more_than_it_may() -> None:
    assert np.exp(log_evidence(column(500), column(500), column(0.5))).max() == pytest.approx(MOST_A_BATCH)


def test_batches_without_failures_use_up_no_start_weight() -> None:
    dense = log_evidence_since(column(1, 3), column(4, 4), column(0.2, 0.2))
    sparse = log_evidence_since(column(0, 1, 0, 0, 3), column(0, 4, 0, 0, 4), np.full(5, 0.2))
    assert sparse[1] == pytest.approx(dense[0])
    assert sparse[4] == pytest.approx(dense[1])
    assert sparse.max() == pytest.approx(dense.max())


def test_no_term_is_ever_above_the_whole_mixture() -> None:
    rng = np.random.default_rng(3)
    trials = rng.poisson(2.0, 80).astype(np.float64)
    hits = rng.binomial(trials.astype(int), 0.4).astype(np.float64)
    chance = np.full(80, 0.3)
    path = log_evidence_path(hits, trials, chance)
    for seen in (1, 2, 17, 80):
        assert log_evidence_since(hits[:seen], trials[:seen], chance[:seen]).max() <= path[seen - 1] + 1e-9


def test_the_mixture_is_the_sum_that_the_proof_is_about() -> None:
    hits, trials, chance = column(2, 0, 1), column(3, 0, 2), column(0.2, 0.2, 0.5)
    each = np.exp(log_evidence(hits, trials, chance))
    direct = np.mean(each[:, 0] * each[:, 1] * each[:, 2]) / 2 + np.mean(each[:, 2]) / 6 + (1 - 1 / 2 - 1 / 6)
    assert exp(log_evidence_path(hits, trials, chance)[-1]) == pytest.approx(direct)


@pytest.mark.parametrize(("new", "old", "rate"), [(2, 38, 0.01), (40, 40, 0.01), (75, 75, 0.3), (500, 9500, 0.001)])
def test_looking_after_every_batch_keeps_the_level(new: int, old: int, rate: float) -> None:
    rng = np.random.default_rng(11)
    level, rollouts, batches = 0.2, 300, 150
    crossed = 0
    for _ in range(rollouts):
        n, m = rng.poisson(new, batches), rng.poisson(old, batches)
        # what fails moves for both sides alike
        moving = np.clip(rate * rng.lognormal(0, 0.5, batches), 0, 0.9)
        x, y = rng.binomial(n, moving), rng.binomial(m, moving)
        path = log_evidence_path((x).astype(float), (x + y).astype(float), n / np.maximum(n + m, 1))
        crossed += bool(path.max() >= log(1 / level))
    assert crossed / rollouts <= level + 3 * (level * (1 - level) / rollouts) ** 0.5
