"""Kayenta's judge over time: looked at once at the end, or again and again.

Looking again is no part of the test: each look may cry wolf by itself, and so the more often one looks, the more
harmless deployments are failed. The sequential judge is the one that may be looked at as often as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.mann_whitney.classify import Classified, classify
from tidegate.judge.mann_whitney.score import Score, score
from tidegate.judge.mann_whitney.shift import Floats
from tidegate.model.mann_whitney import Classification, ComparisonRule, MannWhitneyRule
from tidegate.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Series:
    """A metric's values of both sides, batch by batch; NaN where one is missing."""

    name: str
    rule: ComparisonRule
    canary: Sequence[Floats]
    baseline: Sequence[Floats]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last look said; `batch` is the last one that it saw, None where there was none."""

    score: Score
    metrics: tuple[Classified, ...]
    batch: int | None


def judge(series: Sequence[Series], rule: MannWhitneyRule, *, is_over: bool = True) -> Outcome | None:
    """The outcome of the first look that fails, or else of the last one; None where the first look is still to come.

    Where the rollout `is_over` there is a look at its end; before it there are those that the rule asks for.
    """
    batches = max((len(one.canary) for one in series), default=0)
    before = range(rule.every, batches + (not is_over), rule.every) if rule.every else ()
    outcome = None
    for end in (*before, *((batches,) if is_over else ())):
        metrics = tuple(_look(one, end, rule) for one in series)
        if not (is_over and end == batches):
            metrics = tuple(_if_told(one) for one in metrics)
        outcome = Outcome(score(metrics, rule), metrics, end - 1 if end else None)
        if outcome.score.verdict is Verdict.FAIL:
            break
    return outcome


def _look(one: Series, end: int, rule: MannWhitneyRule) -> Classified:
    return classify(one.name, _until(one.canary, end), _until(one.baseline, end), one.rule, rule)


def _if_told(one: Classified) -> Classified:
    """Before the end, what too few values seem to show is not believed: it would fail nearly every new deployment."""
    is_early = not one.told and one.classification is not Classification.NODATA
    return replace(one, classification=Classification.PASS, critical=False) if is_early else one


def _until(batches: Sequence[Floats], end: int) -> Floats:
    return np.concatenate((np.empty(0), *batches[:end]))
