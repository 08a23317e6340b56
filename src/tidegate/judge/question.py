"""What is asked about one metric, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.judge.bounds import excludes_as_high_as, lower_bound
from tidegate.judge.evidence import Floats, log_products_since, log_start_weights
from tidegate.judge.table import Flags

MINIMUM_REQUESTS = 10
"""No verdict on fewer requests to the new deployment than this, however clear they are."""

PASS_LEVEL = 0.05
"""How probable it may be that a step passes although the harm is as large as the margin."""

_BASELINE_PART = 0.2
"""The part of PASS_LEVEL that goes into bounding the baseline's rate."""

_SUSPICION = 0.1
"""A step does not pass while the evidence of a harm of some size is below this."""

_LONGEST_FORECAST = 1000.0
"""In times of what was seen so far."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in each batch: `hits` of `of` requests."""

    hits: Floats
    of: Floats

    def total(self, rows: Flags) -> Total:
        """All hits and requests of the chosen batches."""
        return Total(float(self.hits[rows].sum()), float(self.of[rows].sum()))


@dataclass(frozen=True, slots=True)
class Total:
    """Hits among requests over several batches."""

    hits: float
    of: float

    @property
    def rate(self) -> float:
        """The share of requests that were hits; 0 where there was no request."""
        return self.hits / self.of if self.of else 0.0

    def times(self, factor: float) -> Total:
        """What would be counted if the same went on `factor` times as long."""
        return Total(self.hits * factor, self.of * factor)


@dataclass(frozen=True, slots=True)
class Gate:
    """How much worse than the other side the new deployment must be to fail, however certain the difference is."""

    ratio: float
    floor: float

    def lets_through(self, canary: Floats, other: Floats) -> Flags:
        """Of each pair of rates, whether the new deployment's is that much worse."""
        return (canary >= other * self.ratio) & (canary >= other + self.floor)


@dataclass(frozen=True, slots=True)
class Margin:
    """The harm that must be excluded before a step passes: `ratio` times the other side's rate, plus `plus`.

    Where nearly all requests are hits on the other side too, that would be more than all of them: then the limit
    is half way to 1.
    """

    ratio: float
    plus: float

    def limit(self, rate: float) -> float:
        """The rate that must be excluded, beside the other side's rate."""
        return min(rate * self.ratio + self.plus, (1 + rate) / 2)


@dataclass(frozen=True, slots=True)
class Question:
    """Does the new deployment hit more often than the other side, or than a limit?

    `other` is what ran beside it, batch by batch, or a limit for its rate. `level` is this question's part of the
    false-alarm level. `in_step` marks the batches from which evidence for passing is taken.
    """

    canary: Counts
    other: Counts | float
    level: float
    gate: Gate
    margin: Margin
    in_step: Flags
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Harm:
    """The evidence of harm: a p-value valid at any look, and the figures since harm is likeliest to have begun.

    Without any harm to be seen these are the figures of the whole rollout.
    """

    p: float
    fails: bool
    suspected: bool
    canary: Total
    other: Total | float
    seconds: float


@dataclass(frozen=True, slots=True)
class Safety:
    """Whether the step's batches exclude a rate of `limit`, the other side's rate and the margin.

    `seconds_to_go` foretells when the limit would be excluded if all went on as before; None where never.
    """

    excluded: bool
    limit: float
    canary: Total
    other: Total | float
    seconds_to_go: float | None


def weigh_harm(question: Question) -> Harm:
    """The evidence of harm in all batches so far, for harm that may have begun with any of them."""
    trials, chance = _wagers(question)
    products = log_products_since(question.canary.hits, trials, chance)
    p_since = np.exp(-np.maximum(products + log_start_weights(trials), 0.0))
    matters = _passes_gate(question) & (_from_each(question.canary.of) >= MINIMUM_REQUESTS)
    failing = matters & (p_since <= question.level)
    suspected = matters & (p_since <= _SUSPICION)
    shown = failing if failing.any() else suspected
    # the weights are the price of not knowing when harm began; where it did begin is likeliest without them
    start = int(np.argmax(np.where(shown, products, -np.inf))) if shown.any() else 0
    rows = np.arange(len(products)) >= start
    return Harm(
        p=float(p_since.min()),
        fails=bool(failing.any()),
        suspected=bool(suspected.any()),
        canary=question.canary.total(rows),
        other=_other_total(question, rows),
        seconds=float(question.seconds[rows].sum()),
    )


def weigh_safety(question: Question) -> Safety:
    """Whether the batches of the step exclude harm as large as the margin, and else when they would."""
    canary = question.canary.total(question.in_step)
    other = _other_total(question, question.in_step)
    limit = _limit(question.margin, other)
    excluded = canary.of >= MINIMUM_REQUESTS and _excludes(question.margin, canary, other)
    elapsed = float(question.seconds[question.in_step].sum())
    return Safety(
        excluded=excluded,
        limit=limit,
        canary=canary,
        other=other,
        seconds_to_go=0.0 if excluded else _forecast(question.margin, canary, other, elapsed),
    )


def _wagers(question: Question) -> tuple[Floats, Floats]:
    canary, other = question.canary, question.other
    if isinstance(other, float):
        return canary.of, np.full_like(canary.of, other)
    both = canary.of + other.of
    chance = np.divide(canary.of, both, out=np.zeros_like(both), where=both > 0)
    return canary.hits + other.hits, chance


def _passes_gate(question: Question) -> Flags:
    canary = _rates_from_each(question.canary)
    if isinstance(question.other, float):
        other = np.full_like(canary, question.other)
    else:
        other = _rates_from_each(question.other)
    return question.gate.lets_through(canary, other)


def _rates_from_each(counts: Counts) -> Floats:
    of = _from_each(counts.of)
    return np.divide(_from_each(counts.hits), of, out=np.zeros_like(of), where=of > 0)


def _from_each(values: Floats) -> Floats:
    """From each batch on, the sum to the last."""
    return np.cumsum(values[::-1])[::-1]


def _other_total(question: Question, rows: Flags) -> Total | float:
    return question.other if isinstance(question.other, float) else question.other.total(rows)


def _limit(margin: Margin, other: Total | float) -> float:
    if isinstance(other, float):
        return margin.limit(other)
    return margin.limit(lower_bound(other.hits, other.of, PASS_LEVEL * _BASELINE_PART))


def _excludes(margin: Margin, canary: Total, other: Total | float) -> bool:
    level = PASS_LEVEL * (1 - _BASELINE_PART)
    return excludes_as_high_as(_limit(margin, other), canary.hits, canary.of, level)


def _forecast(margin: Margin, canary: Total, other: Total | float, elapsed: float) -> float | None:
    def passes_after(factor: float) -> bool:
        seen = other if isinstance(other, float) else other.times(factor)
        enough = canary.of * factor >= MINIMUM_REQUESTS
        return enough and _excludes(margin, canary.times(factor), seen)

    if not canary.of or not passes_after(_LONGEST_FORECAST):
        return None
    low, high = 1.0, _LONGEST_FORECAST
    while high / low > 1.05:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if passes_after(middle) else (middle, high)
    return (high - 1) * elapsed
