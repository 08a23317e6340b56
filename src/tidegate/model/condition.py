"""Whether a step is wanted: the expression after `if` in a step, checked when it is written and asked when it counts.

The language is CEL (https://github.com/google/cel-spec); `expression` says which part of it, and why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.model.expression import FUNCTIONS, NAMES, Flaw, Sizes, limits_kept, read

MOST_CHANGED = 10_000
"""Files. A change of more is no evidence: it is as if nobody knew which files it changes."""

MOST_MICROSECONDS = 5_000_000
"""The work that a condition may be, as an upper bound: the server does nothing else meanwhile."""

_LARGE = Sizes(changed=MOST_CHANGED, needs=100, longest=100)
"""A condition that would be too much work for a change of this size is refused when it is written."""

_WORDS = {
    "branch": "the branch",
    "trigger": "what began the run",
    "author": "the author",
    "changed": "which files changed",
}


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


class _DoesNotFit(ConditionFailed):
    """An act on values of types that it is not for."""


def check(expression: str, needs: Collection[str] | None = None) -> tuple[Flaw, ...]:
    """Everything that is wrong with a condition, whatever the evidence; nothing where it can be asked.

    `needs` are the names of the steps that its step needs, None where they are not known.
    """
    if found := tuple(limits_kept(expression)):
        return found
    try:
        program = _compiled(expression)
    except ConditionFailed as failed:
        return (Flaw(str(failed)),)
    reading = read(expression, needs, _LARGE)
    flaws = reading.flaws or tuple(flaw for pattern in reading.patterns for flaw in _pattern_flaw(pattern))
    if not flaws and reading.microseconds > MOST_MICROSECONDS:
        flaws = (
            Flaw(
                f"this is too much work for a change of {_LARGE.changed:,} files",
                "ask fewer things of each file; [0-9] in a pattern is less work than \\d",
            ),
        )
    return flaws or _tried(program, needs)


def holds(expression: str, evidence: ConditionEvidence) -> bool:
    """Whether a condition is true.

    Raises ConditionFailed where it says neither true nor false, cannot be evaluated, needs evidence that is missing,
    or would be too much work.
    """
    for flaw in limits_kept(expression):
        raise ConditionFailed(flaw.message)
    program = _compiled(expression)
    sizes = _sizes(evidence)
    reading = read(expression, None, sizes)
    if reading.flaws:
        raise ConditionFailed(reading.flaws[0].message)
    if reading.microseconds > MOST_MICROSECONDS:
        raise ConditionFailed(f"it is too much work for {sizes.changed:,} changed files")
    known = _known(evidence, reading.names)
    missing = next((name for name in NAMES if name in reading.names and name not in known), None)
    try:
        answer = _executed(program, known)
    except ConditionFailed as failed:
        if missing:
            raise ConditionFailed(f"{_WORDS[missing]}: that is not known", missing) from None
        raise failed from None
    if not isinstance(answer, bool):
        raise ConditionFailed(f"it says {_described(answer)}, neither true nor false")
    return answer


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


def _compiled(expression: str) -> Any:
    import cel

    try:
        return cel.compile(expression)
    except Exception as error:
        raise ConditionFailed(_syntax(str(error))) from None


def _executed(program: Any, known: Mapping[str, Any]) -> object:
    try:
        return program.execute(dict(known))
    except KeyError as error:
        raise ConditionFailed(f'there is no "{error.args[0]}" among what it asks') from None
    except TypeError as error:
        raise _DoesNotFit(_first_sentence(str(error))) from None
    except Exception as error:
        unknown = re.match("Undefined variable or function: '([A-Za-z_]+)'", str(error))
        if unknown and unknown[1] in FUNCTIONS:
            raise _DoesNotFit(f'"{unknown[1]}" cannot be asked of that') from None
        raise ConditionFailed(_first_sentence(str(error))) from None


def _pattern_flaw(pattern: str) -> tuple[Flaw, ...]:
    try:
        _executed(_compiled(f'"".matches({pattern})'), {})
    except ConditionFailed:
        return (Flaw(f"{pattern} is not a pattern", "see https://github.com/google/re2/wiki/Syntax"),)
    return ()


def _tried(program: Any, needs: Collection[str] | None) -> tuple[Flaw, ...]:
    """What only shows when it is asked: types that do not fit, and an answer that is neither true nor false."""
    sample = ConditionEvidence(
        "main", "push", "ada", ("README.md",), dict.fromkeys(needs or (), NeededStep("succeeded", False))
    )
    try:
        answer = _executed(program, _known(sample, NAMES))
    except ConditionFailed as failed:
        # other errors may come from the sample, which is not what will be asked about
        return (Flaw(str(failed)),) if isinstance(failed, _DoesNotFit) else ()
    if isinstance(answer, bool):
        return ()
    return (Flaw(f"the expression says {_described(answer)}, neither true nor false", 'compare it: branch == "main"'),)


def _described(value: object) -> str:
    match value:
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "keys with values"
        case _:
            return "nothing" if value is None else "a value"


def _syntax(message: str) -> str:
    """A compiler's complaint: where it stands in the expression, and what it is."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if not found:
        return "this is not an expression"
    line, column, what = found[1], found[2], re.sub(r"<EOF>", "the end", found[3])
    what = re.sub(r" expecting \{.*", "", what)
    where = f"character {column}" + (f" of line {line}" if line != "1" else "")
    return f"this is not an expression: {what} at {where}"


def _first_sentence(message: str) -> str:
    return message.partition(". ")[0].partition("\n")[0].rstrip(".")
