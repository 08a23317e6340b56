"""Whether a step is wanted: the expression after `if` in a step, checked when it is written and asked when it counts.

The language is CEL (https://github.com/google/cel-spec); `expression` says which part of it, and why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.model.expression import Flaw
from tidegate.model.expression_check import Reading, read
from tidegate.model.expression_run import ExpressionFailed, answer, compiled, flaws_in, said
from tidegate.model.expression_types import Field, ListOf, MapOf, Record, Scalar, Vocabulary

MOST_CHANGED = 10_000
"""Files. A change of more is no evidence: it is as if nobody knew which files it changes."""

MOST_MICROSECONDS = 5_000_000
"""The work that a condition may be, as an upper bound: the server does nothing else meanwhile."""

NAMES = ("branch", "trigger", "author", "changed", "needs")

_WORDS = {
    "branch": "the branch",
    "trigger": "what began the run",
    "author": "the author",
    "changed": "which files changed",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many files changed, how many steps are needed, and the characters of the longest text among them."""

    changed: int
    needs: int
    longest: int


_LARGE = Sizes(changed=MOST_CHANGED, needs=100, longest=100)
"""A condition that would be too much work for a change of this size is refused when it is written."""


@dataclass(frozen=True, slots=True)
class NeededStep:
    """How a step that is needed ended."""

    status: str
    cached: bool


@dataclass(frozen=True, slots=True)
class ConditionEvidence:
    """What a condition is asked about; None where it is not known."""

    branch: str | None
    trigger: str | None
    author: str | None
    changed: Sequence[str] | None
    needs: Mapping[str, NeededStep]


class ConditionFailed(Exception):
    """A condition that has no answer; the message says why. `missing` is the evidence that it lacks."""

    def __init__(self, message: str, missing: str | None = None) -> None:
        super().__init__(message)
        self.missing = missing


def check(expression: str, needs: Collection[str] | None = None) -> tuple[Flaw, ...]:
    """Everything that is wrong with a condition, whatever the evidence; nothing where it can be asked.

    `needs` are the names of the steps that its step needs, None where they are not known.
    """
    flaws, reading = flaws_in(expression, vocabulary(_LARGE, needs))
    if not flaws and reading and reading.microseconds > MOST_MICROSECONDS:
        hint = "ask fewer things of each file; [0-9] in a pattern is less work than \\d"
        return (Flaw(f"this is too much work for a change of {_LARGE.changed:,} files", hint),)
    return flaws


def holds(expression: str, evidence: ConditionEvidence) -> bool:
    """Whether a condition is true.

    Raises ConditionFailed where it says neither true nor false, cannot be evaluated, needs evidence that is missing,
    or would be too much work.
    """
    names = _readable(expression, evidence).names
    known = _known(evidence, names)
    missing = next((name for name in NAMES if name in names and name not in known), None)
    try:
        return answer(expression, known)
    except ExpressionFailed as failed:
        if missing:
            raise ConditionFailed(f"{_WORDS[missing]}: that is not known", missing) from None
        raise ConditionFailed(str(failed)) from None


def vocabulary(sizes: Sizes, needs: Collection[str] | None = None) -> Vocabulary:
    """What a condition may ask about; `needs` are the steps that may be named, None where any may."""
    step = Record("a needed step", {"status": Field(Scalar.TEXT), "cached": Field(Scalar.TRUTH)})
    known = None if needs is None else tuple(needs)
    hint = 'say in "needs" which steps it needs'
    texts = dict.fromkeys(("branch", "trigger", "author"), Field(Scalar.TEXT))
    changed = Field(ListOf(Scalar.TEXT, sizes.changed))
    steps = Field(MapOf(step, sizes.needs, known, "the step does not need", hint))
    return Vocabulary({**texts, "changed": changed, "needs": steps}, sizes.longest)


def _readable(expression: str, evidence: ConditionEvidence) -> Reading:
    sizes = _sizes(evidence)
    try:
        compiled(expression)
    except ExpressionFailed as failed:
        raise ConditionFailed(str(failed)) from None
    reading = read(expression, vocabulary(sizes))
    if reading.flaws:
        raise ConditionFailed(reading.flaws[0].message)
    if reading.type not in (None, Scalar.TRUTH):
        raise ConditionFailed(f"it says {said(reading)}, neither true nor false")
    if reading.microseconds > MOST_MICROSECONDS:
        raise ConditionFailed(f"it is too much work for {sizes.changed:,} changed files")
    return reading


def _sizes(evidence: ConditionEvidence) -> Sizes:
    changed = _countable(evidence) or ()
    texts = (evidence.branch or "", evidence.trigger or "", evidence.author or "", *changed, *evidence.needs)
    return Sizes(len(changed), len(evidence.needs), max(map(len, texts)))


def _countable(evidence: ConditionEvidence) -> Sequence[str] | None:
    changed = evidence.changed
    return changed if changed is not None and len(changed) <= MOST_CHANGED else None


def _known(evidence: ConditionEvidence, names: Collection[str]) -> dict[str, Any]:
    changed = _countable(evidence)
    everything = {
        "branch": evidence.branch,
        "trigger": evidence.trigger,
        "author": evidence.author,
        "changed": None if changed is None else list(changed),
        "needs": {name: {"status": one.status, "cached": one.cached} for name, one in evidence.needs.items()},
    }
    return {name: value for name, value in everything.items() if name in names and value is not None}
