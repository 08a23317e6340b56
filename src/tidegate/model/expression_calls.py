"""Calls in an expression: whether a function takes what it is given, and what it makes of that."""

from __future__ import annotations

import re
from collections.abc import Callable

from tidegate.model.expression_cost import Cost
from tidegate.model.expression_functions import (
    FUNCTIONS,
    OF_MOMENTS,
    OF_SPANS,
    WRITTEN_TIMES,
    converted,
    is_conversion,
)
from tidegate.model.expression_tree import Call, Text, Tree
from tidegate.model.expression_types import ListOf, MapOf, Scalar, Type, described, is_text

_MOST_PATTERN_MICROSECONDS = 10_000.0


class Calls:
    """Checks calls of functions that there are, and collects the texts in them that only show when they are tried:
    patterns, moments and durations (with the function that makes them), and time zones."""

    def __init__(self, cost: Cost, type_of: Callable[[Tree], Type | None], flaw: Callable[..., None]) -> None:
        self._cost = cost
        self._type_of = type_of
        self._flaw = flaw
        self.patterns: list[Text] = []
        self.times: list[tuple[str, Text]] = []
        self.zones: list[Text] = []

    def type_of(self, tree: Call) -> Type | None:
        """What the call makes; None where that was complained of."""
        if tree.function in WRITTEN_TIMES:
            return self._written_time(tree)
        if (tree.of is None and tree.function == "size") or is_conversion(tree.function):
            return self._of_one(tree)
        if tree.of is not None:
            return self._method(tree, tree.of)
        example = 'branch.matches("…")' if tree.function == "matches" else f"….{tree.function}(…)"
        what = "a text" if tree.function in FUNCTIONS else "a moment"
        self._flaw(tree.at, f'"{tree.function}" is asked of {what}', f"write {example}")
        for one in tree.arguments:
            self._type_of(one)
        return None

    def _written_time(self, tree: Call) -> Type:
        text = tree.arguments[0] if len(tree.arguments) == 1 and tree.of is None else None
        if isinstance(text, Text):
            self.times.append((tree.function, text))
        else:
            example = '"2026-07-01T09:00:00Z"' if tree.function == "timestamp" else '"36h"'
            hint = f"write {tree.function}({example})"
            self._flaw(tree.at, f'"{tree.function}" takes a text that is written out', hint)
        return WRITTEN_TIMES[tree.function]

    def _of_one(self, tree: Call) -> Type | None:
        """`size(x)`, `int(x)`, `double(x)`, `string(x)`."""
        given = [self._type_of(one) for one in tree.arguments]
        if len(given) != 1 or tree.of is not None:
            self._flaw(tree.at, f'"{tree.function}" takes one value')
            return None
        one = given[0]
        if one is None:
            return None
        result = self._size(one) if tree.function == "size" else converted(tree.function, one)
        if result is None:
            self._flaw(tree.at, f'"{tree.function}" cannot be asked of {described(one)}')
        return result

    def _size(self, of: Type) -> Type | None:
        return Scalar.WHOLE if is_text(of) or isinstance(of, ListOf | MapOf) else None

    def _method(self, tree: Call, target: Tree) -> Type | None:
        of = self._type_of(target)
        if tree.function == "matches":
            self._pattern(tree)
        given = [self._type_of(one) for one in tree.arguments]
        if of is None:
            return None
        if tree.function == "size":
            result = self._size(of) if not given else None
        elif tree.function in FUNCTIONS:
            result = Scalar.TRUTH if is_text(of) and len(given) == 1 and _is_text_or_unknown(given[0]) else None
        else:
            result = self._part_of_time(tree, of)
        if result is None:
            taken = ", ".join(described(one) for one in given if one) or "nothing"
            hint = None if not given else f"it was given {taken}"
            self._flaw(tree.at, f'"{tree.function}" cannot be asked of {described(of)} like this', hint)
        return result

    def _part_of_time(self, tree: Call, of: Type) -> Type | None:
        if of is Scalar.SPAN and tree.function in OF_SPANS and not tree.arguments:
            return Scalar.WHOLE
        if of is not Scalar.MOMENT or tree.function not in OF_MOMENTS or len(tree.arguments) > 1:
            return None
        for zone in tree.arguments:
            if not isinstance(zone, Text) or zone.value is None:
                self._flaw(zone.at, "a time zone is written out", 'write "Europe/London"')
            else:
                self.zones.append(zone)
                self._cost.zone()
        return Scalar.WHOLE

    def _pattern(self, tree: Call) -> None:
        text = tree.arguments[0] if len(tree.arguments) == 1 else None
        if not isinstance(text, Text):
            hint = 'write it in quotes: matches("…")'
            self._flaw(tree.at, '"matches" takes a pattern that is written out', hint)
            return
        if "{" in text.written:
            self._flaw(text.at, "a pattern cannot count with {…}", "write what repeats out, or use + and *")
        classes = len(re.findall(r"\\[A-Za-z]", text.written))
        if self._cost.pattern(len(text.written), classes) > _MOST_PATTERN_MICROSECONDS:
            self._flaw(text.at, "the pattern is too much work", r"[0-9] is less work than \d")
        self.patterns.append(text)


def _is_text_or_unknown(one: Type | None) -> bool:
    return one is None or is_text(one)
