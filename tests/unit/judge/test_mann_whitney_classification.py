"""A metric passes, or is high or low, as Kayenta says it; missing values are what the rule says they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from tidegate.judge.mann_whitney.classify import Classified, classify, mann_whitney_test
from tidegate.judge.mann_whitney.cleaning import without_outliers
from tidegate.model.mann_whitney import (
    Classification,
    ComparisonRule,
    Direction,
    EffectMeasure,
    EffectSize,
    MannWhitneyRule,
    NanStrategy,
)

NAN = float("nan")
AROUND_TEN = [9.1, 10.4, 9.8, 10.9, 8.8, 10.2, 9.5, 11.3, 10.0, 9.9]
AROUND_TWELVE = [one + 2 for one in AROUND_TEN]
PLAIN, WHOLE = ComparisonRule(), MannWhitneyRule()
PASS, HIGH, LOW = Classification.PASS, Classification.HIGH, Classification.LOW


def compare(
    canary: Sequence[float],
    baseline: Sequence[float],
    rule: ComparisonRule = PLAIN,
    whole: MannWhitneyRule = WHOLE,
) -> Classified:
    return classify("cpu", np.array(canary, dtype=float), np.array(baseline, dtype=float), rule, whole)


@pytest.mark.parametrize(
    ("canary", "baseline", "direction", "expected"),
    [
        (AROUND_TWELVE, AROUND_TEN, Direction.EITHER, HIGH),
        (AROUND_TWELVE, AROUND_TEN, Direction.INCREASE, HIGH),
        (AROUND_TWELVE, AROUND_TEN, Direction.DECREASE, PASS),
        (AROUND_TEN, AROUND_TWELVE, Direction.EITHER, LOW),
        (AROUND_TEN, AROUND_TWELVE, Direction.DECREASE, LOW),
        (AROUND_TEN, AROUND_TWELVE, Direction.INCREASE, PASS),
        (AROUND_TEN, AROUND_TEN[::-1], Direction.EITHER, PASS),
        ([5.0] * 10, [5.0] * 7, Direction.EITHER, PASS),
        ([6.0] * 10, [5.0] * 7, Direction.EITHER, HIGH),
        ([10.0, 11.0, 12.0], [1.0, 2.0, 3.0], Direction.EITHER, HIGH),
    ],
)
def test_what_is_certain_and_in_the_direction_of_harm_is_a_failure(
    canary: list[float], baseline: list[float], direction: Direction, expected: Classification
) -> None:
    assert compare(canary, baseline, ComparisonRule(direction=direction)).classification is expected


def test_an_interval_that_reaches_into_the_band_around_zero_passes() -> None:
    """The shift is 2 and the interval begins at 1: within a band of six tenths, outside one of a quarter."""
    found = compare(AROUND_TWELVE, AROUND_TEN)
    assert found.shift is not None
    assert found.shift.lower == pytest.approx(1)
    for tolerance, high, low in (0.4, HIGH, LOW), (0.6, PASS, PASS):
        whole = MannWhitneyRule(tolerance=tolerance)
        assert compare(AROUND_TWELVE, AROUND_TEN, whole=whole).classification is high
        assert compare(AROUND_TEN, AROUND_TWELVE, whole=whole).classification is low


def test_a_higher_confidence_asks_for_more() -> None:
    canary = [one + 1.2 for one in AROUND_TEN]
    assert compare(canary, AROUND_TEN, whole=MannWhitneyRule(confidence=0.8)).classification is HIGH
    assert compare(canary, AROUND_TEN, whole=MannWhitneyRule(confidence=0.999)).classification is PASS


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (EffectSize(allowed_increase=1.1), HIGH),
        (EffectSize(allowed_increase=1.3), PASS),
        (EffectSize(EffectMeasure.CLES, allowed_increase=0.9), HIGH),
        (EffectSize(EffectMeasure.CLES, allowed_increase=0.999), PASS),
    ],
)
def test_a_certain_difference_that_is_allowed_passes(effect: EffectSize, expected: Classification) -> None:
    """The means are 12 and 10, and the new value is the higher one in 98.5% of the pairs."""
    found = compare(AROUND_TWELVE, AROUND_TEN, ComparisonRule(effect_size=effect))
    assert found.classification is expected
    size = (
        np.mean(np.greater.outer(AROUND_TWELVE, AROUND_TEN)) if effect.measure is EffectMeasure.CLES else 11.99 / 9.99
    )
    assert found.size == pytest.approx(float(size))


def test_a_decrease_is_allowed_down_to_its_limit() -> None:
    lower = [one / 2 for one in AROUND_TEN]
    assert (
        compare(lower, AROUND_TEN, ComparisonRule(effect_size=EffectSize(allowed_decrease=0.6))).classification is LOW
    )
    assert (
        compare(lower, AROUND_TEN, ComparisonRule(effect_size=EffectSize(allowed_decrease=0.4))).classification is PASS
    )


def test_a_limit_of_the_effect_is_reached_by_what_is_just_as_large() -> None:
    double = [2 * one for one in AROUND_TEN]
    assert (
        compare(double, AROUND_TEN, ComparisonRule(effect_size=EffectSize(allowed_increase=2))).classification is HIGH
    )
    assert (
        compare(AROUND_TEN, double, ComparisonRule(effect_size=EffectSize(allowed_decrease=0.5))).classification is LOW
    )


def test_an_effect_that_cannot_be_told_excuses_nothing() -> None:
    found = compare(AROUND_TEN, [0.0] * 10, ComparisonRule(effect_size=EffectSize(allowed_increase=100)))
    assert found.size is None
    assert found.classification is HIGH


def test_a_critical_metric_is_critical_from_its_critical_effect_on() -> None:
    rule = ComparisonRule(critical=True, effect_size=EffectSize(critical_increase=1.5))
    assert not compare(AROUND_TWELVE, AROUND_TEN, rule).critical
    assert compare(AROUND_TWELVE, AROUND_TEN, rule).classification is HIGH
    assert compare([2 * one for one in AROUND_TEN], AROUND_TEN, rule).critical


def test_missing_values_are_removed_or_are_zero() -> None:
    errors = [NAN, NAN, 3.0, NAN, 2.0, NAN, NAN, 4.0, NAN, NAN]
    removed = compare(errors, errors[:4], ComparisonRule(nan_strategy=NanStrategy.REMOVE))
    replaced = compare(errors, errors[:4], ComparisonRule(nan_strategy=NanStrategy.REPLACE))
    assert removed.canary_mean == pytest.approx(3.0)
    assert replaced.canary_mean == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("rule", "expected", "critical"),
    [
        (ComparisonRule(), Classification.NODATA, False),
        (ComparisonRule(critical=True), Classification.NODATA, True),
        (ComparisonRule(must_have_data=True), Classification.NODATA_FAIL_METRIC, False),
        (ComparisonRule(must_have_data=True, critical=True), Classification.NODATA, True),
    ],
)
def test_one_side_without_data_is_no_data(rule: ComparisonRule, expected: Classification, critical: bool) -> None:
    for canary, baseline in ([NAN, NAN], AROUND_TEN), (AROUND_TEN, [NAN]), ([], AROUND_TEN):
        found = compare(canary, baseline, rule)
        assert (found.classification, found.critical) == (expected, critical)


def test_no_data_that_means_zero_passes() -> None:
    zero = ComparisonRule(nan_strategy=NanStrategy.REPLACE)
    assert compare([NAN] * 9, [NAN] * 9, zero).classification is PASS
    assert compare([], [], zero).classification is Classification.NODATA


def test_outliers_are_what_lies_far_outside_the_quartiles() -> None:
    values = np.array([*range(1, 201), 100_000.0])
    assert without_outliers(values, 3.0).tolist() == list(range(1, 201))
    wild = [*AROUND_TEN, 1e6]
    assert compare(wild, AROUND_TEN).canary_mean == pytest.approx(sum(wild) / 11)


def test_the_first_and_last_percentile_are_never_outliers() -> None:
    """With so few values these are the smallest and the largest, so that nothing is one."""
    assert len(without_outliers(np.array([*AROUND_TEN, 1e6]), 3.0)) == 11
    assert len(without_outliers(np.array([*AROUND_TEN, -1e6]), 3.0)) == 11


def test_rare_errors_that_are_more_on_one_side_are_high_though_the_median_shift_is_zero() -> None:
    canary = [0.0, 0.0, 1.0] * 60
    baseline = [0.0] * 165 + [1.0] * 15
    assert compare(canary, baseline).classification is HIGH
    assert compare(baseline, canary).classification is LOW
    assert compare([0.0] * 160 + [1.0] * 20, baseline).classification is PASS


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("m", "n"), [(1, 2), (5, 4), (60, 45)])
def test_the_test_is_that_of_scipy(m: int, n: int, ties: bool) -> None:
    random = np.random.default_rng(m)
    new, old = random.normal(1, 2, m), random.normal(0, 2, n)
    if ties:
        new, old = np.round(new), np.round(old)
    other = mannwhitneyu(new, old, method="asymptotic")
    p, cles = mann_whitney_test(new, old)
    assert p == pytest.approx(float(other.pvalue))
    assert cles == pytest.approx(float(other.statistic) / (m * n))
