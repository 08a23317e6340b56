"""What the threshold judge is told: a limit for each metric, and how many intervals may be beyond it.

The words are those of Argo Rollouts' analysis runs, and Flagger's checks can be said in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a metric may go: to `absolute`, or to `ratio` times the baseline's figure and `floor` further.

    The direction is the metric's: where less is worse, the baseline's figure is divided by `ratio`, less `floor`.
    """

    absolute: float | None = None
    ratio: float = 1.0
    floor: float = 0.0

    @property
    def is_relative(self) -> bool:
        """Whether it needs a baseline."""
        return self.absolute is None

    def beside(self, baseline: float, *, worse_is_more: bool) -> float:
        """The limit in the metric's unit, beside this figure of the baseline."""
        if self.absolute is not None:
            return self.absolute
        return baseline * self.ratio + self.floor if worse_is_more else baseline / self.ratio - self.floor


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """When one metric fails. What is beyond `limit` fails an interval, what is within `within` succeeds, and between
    the two (nothing, where `within` is None) it is inconclusive. Without a limit the metric's tolerance and gate are
    the limit.

    More than `failure_limit` failed intervals fail the rollout, and so do `consecutive_failures` in a row; None is no
    limit. An interval with fewer than `minimum_requests` is inconclusive, of which `inconclusive_limit` are allowed.
    `quantile` is what is judged of a histogram, None its mean.
    """

    limit: Limit | None = None
    within: Limit | None = None
    failure_limit: int | None = 0
    consecutive_failures: int | None = None
    minimum_requests: int = 1
    inconclusive_limit: int | None = None
    quantile: float | None = None

    @property
    def most_failures(self) -> float:
        """How many intervals may fail."""
        return inf if self.failure_limit is None else self.failure_limit

    @property
    def longest_row(self) -> float:
        """How many intervals may fail in a row."""
        return inf if self.consecutive_failures is None else self.consecutive_failures - 1

    @property
    def most_inconclusive(self) -> float:
        """How many intervals may say nothing."""
        return inf if self.inconclusive_limit is None else self.inconclusive_limit
