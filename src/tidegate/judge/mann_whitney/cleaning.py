"""What is done to a metric's values before they are compared."""

from __future__ import annotations

import numpy as np

from tidegate.judge.mann_whitney.shift import Floats
from tidegate.model.mann_whitney import ComparisonRule, NanStrategy


def clean(values: Floats, rule: ComparisonRule) -> Floats:
    """The values without what is missing, and without outliers where the rule says so."""
    if rule.nan_strategy is NanStrategy.REPLACE:
        known = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    else:
        known = values[~np.isnan(values)]
    return known if rule.outlier_factor is None else without_outliers(known, rule.outlier_factor)


def without_outliers(values: Floats, factor: float) -> Floats:
    """The values within `factor` interquartile ranges of the quartiles (Tukey 1977), and at least those within the
    first and the last percentile.

    Percentiles are estimated at p·(n + 1), as Kayenta does.
    """
    if not len(values):
        return values
    first, low, high, last = np.percentile(values, [1, 25, 75, 99], method="weibull")
    fence = factor * (high - low)
    inside: Floats = values[(values >= min(first, low - fence)) & (values <= max(last, high + fence))]
    return inside
