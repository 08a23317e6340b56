"""What Kayenta's judge is told: how each metric is compared, and how the metrics make a score.

The words are those of Kayenta's canary configuration (https://spinnaker.io/docs/guides/user/canary/judge/), and so are
the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CONFIDENCE = 0.98
"""Of the interval for the shift."""

TOLERANCE = 0.25
"""Of the estimated shift: an interval that reaches into the band of so much around zero says nothing."""

PASS_SCORE = 95.0
MARGINAL_SCORE = 75.0
OUTLIER_FACTOR = 3.0

LIVE_LOOKS_EVERY = 10
"""Figures, where a file does not say: each look may cry wolf, and before five figures a side nothing can be told."""


class Direction(StrEnum):
    """Which change of a metric is a failure."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


class NanStrategy(StrEnum):
    """What becomes of values that are missing: `REPLACE` takes them for zero, as is right for counts of errors."""

    REMOVE = "remove"
    REPLACE = "replace"


class EffectMeasure(StrEnum):
    """How large a difference is: the ratio of the means, or the share of pairs in which the new deployment's value is
    the higher one (the common language effect size), which means something where a mean is zero too."""

    MEAN_RATIO = "mean_ratio"
    CLES = "cles"

    @property
    def neutral(self) -> float:
        """What it is where there is no difference."""
        return 1.0 if self is EffectMeasure.MEAN_RATIO else 0.5


class Classification(StrEnum):
    """What a metric showed, in Kayenta's words."""

    PASS = "Pass"
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL_METRIC = "NodataFailMetric"

    @property
    def is_failure(self) -> bool:
        """Whether it counts against the new deployment in the score of its group."""
        return self in (Classification.HIGH, Classification.LOW, Classification.NODATA_FAIL_METRIC)


@dataclass(frozen=True, slots=True)
class EffectSize:
    """How large a difference must be, beside being certain, to be a failure, and to be a critical one.

    None is the measure's neutral value: any certain difference will do.
    """

    measure: EffectMeasure = EffectMeasure.MEAN_RATIO
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None

    def fails_as(self, classification: Classification, size: float | None) -> bool:
        """Whether a certain difference of this size is a failure. A size that cannot be told does not excuse it."""
        return self._reaches(classification, size, self.allowed_increase, self.allowed_decrease)

    def is_critical_as(self, classification: Classification, size: float | None) -> bool:
        """Whether a failure of this size is critical, where the metric is."""
        return self._reaches(classification, size, self.critical_increase, self.critical_decrease)

    def _reaches(
        self, classification: Classification, size: float | None, increase: float | None, decrease: float | None
    ) -> bool:
        if size is None:
            return True
        if classification is Classification.HIGH:
            return size >= (self.measure.neutral if increase is None else increase)
        return size <= (self.measure.neutral if decrease is None else decrease)


@dataclass(frozen=True, slots=True)
class ComparisonRule:
    """How one metric is compared.

    `outlier_factor` removes what lies so many interquartile ranges outside the quartiles, None removes nothing. A
    `muted` metric is shown and has no part in the score; one that `must_have_data` fails where it has none. `weight` is
    its part of its group's score, relative to the other metrics of the group. `quantile` is what is compared of a
    histogram, None its mean.
    """

    direction: Direction = Direction.EITHER
    nan_strategy: NanStrategy = NanStrategy.REMOVE
    effect_size: EffectSize = EffectSize()
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    groups: tuple[str, ...] = ()
    weight: float = 1.0
    outlier_factor: float | None = None
    quantile: float | None = None


@dataclass(frozen=True, slots=True)
class MannWhitneyRule:
    """How metrics are compared and scored.

    `groups` are the weights of groups in percent; groups without one share what is left equally. `every` is after how
    many batches one looks, None only at the end.
    """

    confidence: float = CONFIDENCE
    tolerance: float = TOLERANCE
    groups: Mapping[str, float] = field(default_factory=dict)
    pass_score: float = PASS_SCORE
    marginal_score: float = MARGINAL_SCORE
    every: int | None = None
