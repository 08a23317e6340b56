"""The conditions of Argo Rollouts' metrics, understood by their shape.

A condition is an expression on `result`; what is understood is a comparison with a number, with what is said of an
answer that holds nothing. All else is not guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from tidegate.model.recording import Worse

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RESULT = r"(?:result(?:s)?(?:\[0\])?|asFloat\(result(?:\[0\])?\))"
_COMPARISON = re.compile(rf"(?:{_RESULT})\s*(?P<sign><=|>=|<|>)\s*(?P<number>{_NUMBER})")
_TURNED = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<sign><=|>=|<|>)\s*(?:{_RESULT})")
_ALL = re.compile(rf"all\(result,\s*\{{?\s*#\s*(?P<sign><=|>=|<|>)\s*(?P<number>{_NUMBER})\s*\}}?\)")
_DEFAULT = re.compile(rf"default\({_RESULT},\s*(?P<default>{_NUMBER})\)\s*(?P<sign><=|>=|<|>)\s*(?P<number>{_NUMBER})")
_NOTHING = re.compile(
    rf"len\(result\)\s*==\s*0|result\s*==\s*nil|isNaN\({_RESULT}\)|isInf\({_RESULT}\)|len\(result\)\s*<\s*1"
)
_SOMETHING = re.compile(rf"len\(result\)\s*(?:>\s*0|!=\s*0|>=\s*1)|result\s*!=\s*nil|!\s*isNaN\({_RESULT}\)")
_OPPOSITE = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Nothing(Enum):
    """What a condition says of an answer without a value."""

    UNSAID = "unsaid"
    HOLDS = "holds"
    FAILS = "does not hold"


@dataclass(frozen=True, slots=True)
class Condition:
    """`result` compared with a number: the condition holds where it is `sign` of `number`."""

    sign: str
    number: float
    nothing: Nothing = Nothing.UNSAID

    @property
    def holds_above(self) -> bool:
        """Whether it holds for large values."""
        return self.sign in (">", ">=")

    @property
    def is_strict(self) -> bool:
        """Whether it does not hold at the number itself."""
        return self.sign in ("<", ">")


@dataclass(frozen=True, slots=True)
class Limits:
    """What both conditions of a metric make: beyond `limit` it fails, within `within` it succeeds.

    `differs_at_limit` where a figure that is exactly the limit fails by the conditions; here it is within.
    """

    worse: Worse
    limit: float
    within: float | None = None
    differs_at_limit: bool = False
    nothing: Nothing = Nothing.UNSAID


def parse(condition: str) -> Condition | None:
    """The condition, None where it has no shape that is understood."""
    text = _without_parentheses(condition.strip())
    for operator, pattern, nothing in (("||", _NOTHING, Nothing.HOLDS), ("&&", _SOMETHING, Nothing.FAILS)):
        parts = [_without_parentheses(part.strip()) for part in text.split(operator)]
        if len(parts) > 1:
            rest = [part for part in parts if not pattern.fullmatch(part)]
            if len(rest) != 1 or len(rest) == len(parts):
                return None
            found = _comparison(rest[0])
            return Condition(found.sign, found.number, nothing) if found else None
    return _comparison(text)


def limits(success: Condition | None, failure: Condition | None) -> Limits | None:
    """What the conditions say together; None where they look in the same direction, or there is none."""
    if failure is None:
        return _of_success(success) if success else None
    worse = Worse.UP if failure.holds_above else Worse.DOWN
    if success is None:
        return Limits(worse, failure.number, differs_at_limit=not failure.is_strict, nothing=_turned(failure.nothing))
    if success.holds_above == failure.holds_above:
        return None
    # where both hold, the measurement has failed
    between = success.number < failure.number if worse is Worse.UP else success.number > failure.number
    within = success.number if between else None
    said = success.nothing if success.nothing is not Nothing.UNSAID else _turned(failure.nothing)
    return Limits(worse, failure.number, within, not failure.is_strict, said)


def _of_success(success: Condition) -> Limits:
    worse = Worse.DOWN if success.holds_above else Worse.UP
    return Limits(worse, success.number, differs_at_limit=success.is_strict, nothing=success.nothing)


def _turned(nothing: Nothing) -> Nothing:
    return {Nothing.HOLDS: Nothing.FAILS, Nothing.FAILS: Nothing.HOLDS}.get(nothing, nothing)


def _comparison(text: str) -> Condition | None:
    if found := _DEFAULT.fullmatch(text):
        sign, number, default = found["sign"], float(found["number"]), float(found["default"])
        return Condition(sign, number, Nothing.HOLDS if _holds(default, sign, number) else Nothing.FAILS)
    if found := _COMPARISON.fullmatch(text) or _ALL.fullmatch(text):
        return Condition(found["sign"], float(found["number"]))
    if found := _TURNED.fullmatch(text):
        return Condition(_OPPOSITE[found["sign"]], float(found["number"]))
    return None


def _holds(value: float, sign: str, number: float) -> bool:
    return {"<": value < number, ">": value > number, "<=": value <= number, ">=": value >= number}[sign]


def _without_parentheses(text: str) -> str:
    while text.startswith("(") and text.endswith(")") and _closes_at_the_end(text):
        text = text[1:-1].strip()
    return text


def _closes_at_the_end(text: str) -> bool:
    depth = 0
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return index == len(text) - 1
    return False
