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


def judge(series: Sequence[Series], rule: MannWhitneyRule) -> Outcome:
    """A rollout that is over: the outcome of the first look that fails, or else of the one at its end."""
    batches = _batches(series)
    for end in range(rule.every, batches, rule.every) if rule.every else ():
        early = _early_look(series, end, rule)
        if early.score.verdict is Verdict.FAIL:
            return early
    return _outcome(tuple(_classify(one, batches, rule) for one in series), batches, rule)


def latest_look(series: Sequence[Series], rule: MannWhitneyRule) -> Outcome | None:
    """A rollout that goes on: the outcome of the latest look, None where the first is still to come.

    The looks before it failed nothing, or there would be no later one.
    """
    batches = _batches(series)
    end = batches - batches % (rule.every or 1)
    return _early_look(series, end, rule) if end else None


def _batches(series: Sequence[Series]) -> int:
    return max((len(one.canary) for one in series), default=0)


def _early_look(series: Sequence[Series], end: int, rule: MannWhitneyRule) -> Outcome:
    return _outcome(tuple(_if_told(_classify(one, end, rule)) for one in series), end, rule)


def _outcome(metrics: tuple[Classified, ...], end: int, rule: MannWhitneyRule) -> Outcome:
    return Outcome(score(metrics, rule), metrics, end - 1 if end else None)


def _classify(one: Series, end: int, rule: MannWhitneyRule) -> Classified:
    return classify(one.name, _until(one.canary, end), _until(one.baseline, end), one.rule, rule)


def _if_told(one: Classified) -> Classified:
    """Before the end, what too few values seem to show is not believed: it would fail nearly every new deployment."""
    is_early = not one.told and one.classification is not Classification.NODATA
    return replace(one, classification=Classification.PASS, critical=False) if is_early else one


def _until(batches: Sequence[Floats], end: int) -> Floats:
    return np.concatenate((np.empty(0), *batches[:end]))
