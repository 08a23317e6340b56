"""Whether a metric of the new deployment is high, low, or passes.

In one case Kayenta's answer is an accident, and this one is not: where most values are alike, as counts of rare errors
are mostly zero, the estimate and an end of the interval are exactly zero, and Kayenta's search for them ends up to 1e-4
to either side. Here the test of no shift at all decides then, which takes account of the ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from tidegate.judge.mann_whitney.cleaning import clean
from tidegate.judge.mann_whitney.shift import Floats, Shift, can_tell, shift, sigma, tied
from tidegate.model.mann_whitney import (
    Classification,
    ComparisonRule,
    Direction,
    EffectMeasure,
    MannWhitneyRule,
)

_FAILURES = {
    Direction.INCREASE: {Classification.HIGH},
    Direction.DECREASE: {Classification.LOW},
    Direction.EITHER: {Classification.HIGH, Classification.LOW},
}


@dataclass(frozen=True, slots=True)
class Classified:
    """What a metric showed.

    `shift` is None where nothing was compared; `p` is that of the two-sided test, 1 where nothing was compared. `size`
    is the effect in the rule's measure, None where it cannot be told. `critical` says that it fails the whole, `told`
    that there were values enough for the confidence that is wanted.
    """

    name: str
    rule: ComparisonRule
    classification: Classification
    critical: bool = False
    shift: Shift | None = None
    p: float = 1.0
    size: float | None = None
    canary_mean: float | None = None
    baseline_mean: float | None = None
    told: bool = False


def classify(name: str, canary: Floats, baseline: Floats, rule: ComparisonRule, whole: MannWhitneyRule) -> Classified:
    """Compare the values of both sides; NaN where one is missing."""
    new, old = clean(canary, rule), clean(baseline, rule)
    if not len(new) or not len(old):
        return _without_data(name, rule)
    means, told = (float(new.mean()), float(old.mean())), can_tell(len(new), len(old), whole.confidence)
    if np.array_equal(np.sort(new), np.sort(old)) or len(np.unique(np.concatenate((new, old)))) == 1:
        return Classified(name, rule, Classification.PASS, False, None, 1.0, None, *means, told)
    compared = shift(new, old, whole.confidence)
    p, cles = mann_whitney_test(new, old)
    size = cles if rule.effect_size.measure is EffectMeasure.CLES else _ratio(*means)
    certain = _certain(compared, p, cles, whole)
    counts = certain in _FAILURES[rule.direction] and rule.effect_size.fails_as(certain, size)
    classification = certain if counts else Classification.PASS
    critical = rule.critical and counts and rule.effect_size.is_critical_as(classification, size)
    return Classified(name, rule, classification, critical, compared, p, size, *means, told)


def _without_data(name: str, rule: ComparisonRule) -> Classified:
    """A metric that must have data fails without; a critical one makes the whole comparison one without data."""
    if rule.must_have_data and not rule.critical:
        return Classified(name, rule, Classification.NODATA_FAIL_METRIC)
    return Classified(name, rule, Classification.NODATA, critical=rule.critical)


def _certain(compared: Shift, p: float, cles: float, whole: MannWhitneyRule) -> Classification:
    """High or low where the whole interval lies beyond the band around zero; where both end exactly at zero, if the
    test rejects that."""
    band = whole.tolerance * abs(compared.estimate)
    if compared.lower > band:
        return Classification.HIGH
    if compared.upper < -band:
        return Classification.LOW
    if not compared.estimate and p <= 1 - whole.confidence:
        if not compared.lower and cles > 0.5:
            return Classification.HIGH
        if not compared.upper and cles < 0.5:
            return Classification.LOW
    return Classification.PASS


def mann_whitney_test(new: Floats, old: Floats) -> tuple[float, float]:
    """The two-sided p-value, by the normal approximation corrected for ties and continuity (Mann, Whitney 1947), and
    the share of pairs in which the new value is the higher one (a tie counts half)."""
    pairs, ordered = len(new) * len(old), np.sort(old)
    below = np.searchsorted(ordered, new, side="left") + np.searchsorted(ordered, new, side="right")
    statistic = float(below.sum()) / 2
    spread = sigma(len(new), len(old), tied(np.concatenate((new, old))))
    z = max(abs(statistic - pairs / 2) - 0.5, 0.0) / spread
    return erfc(z / sqrt(2)), statistic / pairs


def _ratio(new: float, old: float) -> float | None:
    """None where a mean is zero: then the ratio says nothing."""
    return new / old if new and old else None
