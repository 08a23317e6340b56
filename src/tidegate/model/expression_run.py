"""Asking an expression: the compiler and the evaluator of the language (https://github.com/google/cel-spec)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidegate.model.expression import Flaw, limits_kept
from tidegate.model.expression_check import Reading, read
from tidegate.model.expression_functions import FUNCTIONS, OF_MOMENTS
from tidegate.model.expression_types import Scalar, Vocabulary, described


class ExpressionFailed(Exception):
    """An expression that has no answer; the message says why. `lacks` is the name that was not there, None where the
    reason is another one; `at` counts the characters before the place where it is no expression."""

    def __init__(self, message: str, lacks: str | None = None, at: int | None = None) -> None:
        super().__init__(message)
        self.lacks = lacks
        self.at = at


def flaws_in(expression: str, vocabulary: Vocabulary) -> tuple[tuple[Flaw, ...], Reading | None]:
    """Everything that is wrong with a question, whatever the evidence, but how much work it is; and what it reads,
    where it can be read at all."""
    if found := tuple(limits_kept(expression)):
        return found, None
    try:
        compiled(expression)
    except ExpressionFailed as failed:
        return (Flaw(str(failed), at=failed.at),), None
    reading = read(expression, vocabulary)
    flaws = (*reading.flaws, *_flaws_in_texts(reading))
    if not flaws and reading.type not in (None, Scalar.TRUTH):
        flaws = (Flaw(f"the expression says {said(reading)}, neither true nor false", "compare it with something"),)
    return flaws, reading


def said(reading: Reading) -> str:
    """What an expression answers with, in words."""
    if reading.type is None:
        return "something"
    return "a number" if reading.type is Scalar.WHOLE else described(reading.type)


def answer(expression: str, evidence: Mapping[str, Any]) -> bool:
    """What an expression without flaws says of the evidence. Raises ExpressionFailed where it has no answer."""
    said = _executed(compiled(expression), evidence)
    if not isinstance(said, bool):
        raise ExpressionFailed("it says neither true nor false")
    return said


def compiled(expression: str) -> Any:
    """The expression as the library wants it. Raises ExpressionFailed."""
    import cel

    try:
        return cel.compile(expression)
    except Exception as error:
        raise _not_an_expression(expression, str(error)) from None


def _executed(program: Any, evidence: Mapping[str, Any]) -> object:
    import cel

    context = cel.Context(dict(evidence), {name: _in_zone(name) for name in OF_MOMENTS})
    try:
        return program.execute(context)
    except KeyError as error:
        lacks = str(error.args[0])
        raise ExpressionFailed(f'there is no "{lacks}" among what it asks', lacks) from None
    except TypeError as error:
        raise ExpressionFailed(_first_sentence(str(error))) from None
    except Exception as error:
        unknown = re.match("Undefined variable or function: '([A-Za-z_]+)'", str(error))
        if unknown and unknown[1] not in FUNCTIONS:
            raise ExpressionFailed(f'there is no "{unknown[1]}" among what it asks', unknown[1]) from None
        if unknown:
            raise ExpressionFailed(f'"{unknown[1]}" cannot be asked of that') from None
        raise ExpressionFailed(_first_sentence(str(error))) from None


_PARTS_OF_TIME = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}
"""As the language counts: months, the days of a month and of a year from 0 (`getDate` from 1), weekdays from Sunday."""


def _in_zone(name: str) -> Any:
    """The library knows these functions for UTC alone; it asks for this one where a time zone is named."""

    def _part(at: datetime, zone: str) -> int:
        return int(_PARTS_OF_TIME[name](at.astimezone(ZoneInfo(zone))))

    return _part


def _flaws_in_texts(reading: Reading) -> Iterator[Flaw]:
    """What only shows when it is tried: patterns, moments, durations, time zones."""
    for pattern in reading.patterns:
        if not _works(f'"".matches({pattern.written})'):
            hint = "see https://github.com/google/re2/wiki/Syntax"
            yield Flaw(f"{pattern.written} is not a pattern", hint, at=pattern.at)
    for function, text in reading.times:
        if not _works(f"{function}({text.written})"):
            is_moment = function == "timestamp"
            what = "a moment" if is_moment else "a duration"
            hint = 'write "2026-07-01T09:00:00Z"' if is_moment else 'write hours, minutes and seconds: "36h", "1h30m"'
            yield Flaw(f"{text.written} is not {what}", hint, at=text.at)
    for zone in reading.zones:
        if not _is_zone(zone.value or ""):
            yield Flaw(f'there is no time zone "{zone.value}"', 'write one like "Europe/London"', at=zone.at)


def _works(expression: str) -> bool:
    try:
        _executed(compiled(expression), {})
    except ExpressionFailed:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _not_an_expression(expression: str, message: str) -> ExpressionFailed:
    """A compiler's complaint: where it stands in the expression, and what it is."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if not found:
        return ExpressionFailed("this is not an expression")
    line, column, what = int(found[1]), int(found[2]), re.sub(r"<EOF>", "the end", found[3])
    what = re.sub(r" expecting \{.*", "", what)
    where = f"character {column}" + (f" of line {line}" if line != 1 else "")
    before = expression.split("\n")[: line - 1]
    offset = sum(len(one) + 1 for one in before) + max(column - 1, 0)
    return ExpressionFailed(f"this is not an expression: {what} at {where}", at=min(offset, len(expression)))


def _first_sentence(message: str) -> str:
    return message.partition(". ")[0].partition("\n")[0].rstrip(".")
