"""What a condition reads and calls, and how much work it is at most: found in its text, without evaluating it.

A condition is written by whoever may write to a repository and evaluated by the server, which does nothing else
meanwhile. The language (CEL, https://github.com/google/cel-spec) has no endless loops, but it has loops in loops. So
only those parts of it are taken whose work can be told beforehand: loops that ask (`exists`, `all`, `exists_one`)
over what is known to be short, and no loops that make new lists or texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

LONGEST_EXPRESSION = 1000
"""Characters. What is longer belongs into a script."""

MOST_PARTS = 400
DEEPEST_BRACKETS = 16
"""Together they bound the stack that a compiler and an evaluator need."""

NAMES = ("branch", "trigger", "author", "changed", "needs")
STEP_FIELDS = ("status", "cached")
FUNCTIONS = ("size", "contains", "startsWith", "endsWith", "matches", "has", "int", "string", "double")
LOOPS = ("exists", "all", "exists_one")
_MAKING_LOOPS = ("map", "filter", "existsOne", "transformList", "transformMap")

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>(?i:r[b]?|b[r]?)?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>\d[\w.]*(?:(?<=[eE])[-+]\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||[<>=!]=|[^\s])""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LITERALS = ("true", "false", "null")
_SHORT_TEXTS = ("branch", "trigger", "author")

_PART_MICROSECONDS = 0.3
_MATCH_MICROSECONDS = 100.0
_PATTERN_MICROSECONDS = 10.0
_CLASS_MICROSECONDS = 500.0
_MOST_PATTERN_MICROSECONDS = 10_000.0
_CHARACTERS_A_MICROSECOND = 5000
"""Measured, and rounded up: evaluating one part, calling `matches`, compiling a character and a class of its pattern
(which happens at every call), and copying text."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with an expression. `word` is one that nobody knows where `known` are the words that there are."""

    message: str
    hint: str | None = None
    word: str | None = None
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many files changed, how many steps are needed, and the characters of the longest text among them."""

    changed: int
    needs: int
    longest: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in an expression. `patterns` are the texts that `matches` is given, as they are written."""

    flaws: tuple[Flaw, ...]
    names: frozenset[str]
    patterns: tuple[str, ...]
    microseconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression: a `text`, a `number`, a `name` or a `sign`."""

    kind: str
    text: str


def tokens_of(expression: str) -> tuple[Token, ...]:
    """The words of an expression, without spaces and comments."""
    found = (Token(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(expression))
    return tuple(token for token in found if token.kind != "space")


def limits_kept(expression: str) -> Iterator[Flaw]:
    """What makes an expression too large to be looked at any further."""
    if len(expression) > LONGEST_EXPRESSION:
        yield Flaw(f"the expression is longer than {LONGEST_EXPRESSION:,} characters")
        return
    tokens = tokens_of(expression)
    if len(tokens) > MOST_PARTS:
        yield Flaw(f"the expression has {len(tokens)} parts; the limit is {MOST_PARTS}")
    depth = deepest = 0
    for token in tokens:
        depth += (token.text in _CLOSING) - (token.text in _CLOSING.values())
        deepest = max(depth, deepest)
    if deepest > DEEPEST_BRACKETS:
        yield Flaw(f"the brackets are nested {deepest} deep; the limit is {DEEPEST_BRACKETS}")


def read(expression: str, needs: Collection[str] | None, sizes: Sizes) -> Reading:
    """Read an expression that keeps the limits and that a compiler took.

    `needs` are the steps that may be named, None where any may. `microseconds` is an upper bound for `sizes`.
    """
    reader = _Reader(tokens_of(expression), needs, sizes)
    reader.all()
    return Reading(
        tuple(dict.fromkeys(reader.flaws)), frozenset(reader.names), tuple(reader.patterns), reader.microseconds
    )


class _Kind(Enum):
    """What an operand is, as far as it matters."""

    CHANGED = auto()
    NEEDS = auto()
    STEP = auto()
    WRITTEN_LIST = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class _Operand:
    kind: _Kind
    size: int = 0


_OTHER = _Operand(_Kind.OTHER)
_LOOPED_OVER = (_Kind.CHANGED, _Kind.NEEDS, _Kind.WRITTEN_LIST)


class _Reader:
    """Goes over the words once: operands with what follows them (`.name`, `[…]`, `(…)`), with signs in between."""

    def __init__(self, tokens: tuple[Token, ...], needs: Collection[str] | None, sizes: Sizes) -> None:
        self._tokens = tokens
        self._at = 0
        self._needs = needs
        self._sizes = sizes
        self._times = 1.0
        self._bound: list[str] = []
        # each "+" may make a text or a list longer, and all that is done with it later
        self._growth = 1 + sum(token.text == "+" for token in tokens)
        self._text = self._growth * sizes.longest / _CHARACTERS_A_MICROSECOND
        self.flaws: list[Flaw] = []
        self.names: set[str] = set()
        self.patterns: list[str] = []
        self.microseconds = 0.0

    def all(self) -> None:
        while self._at < len(self._tokens):
            self._expression()
            self._skip(1)

    # words

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else ""

    def _kind(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].kind if at < len(self._tokens) else ""

    def _skip(self, count: int) -> None:
        self._at += count
        self._charge(count * (_PART_MICROSECONDS + self._text))

    def _charge(self, microseconds: float) -> None:
        self.microseconds += self._times * microseconds

    def _flaw(self, message: str, hint: str | None = None, word: str | None = None, *known: str) -> None:
        self.flaws.append(Flaw(message, hint, word, known))

    # parts

    def _expression(self) -> _Operand:
        """Up to a comma, a closing bracket or the end. The operand, where it is no more than one."""
        found: list[_Operand] = []
        signs = 0
        while self._at < len(self._tokens) and self._peek() not in (",", ")", "]", "}"):
            if self._kind() != "sign" or self._peek() in _CLOSING:
                found.append(self._operand())
            elif self._peek() == "." and self._kind(1) == "name":
                self._unknown_name(f".{self._peek(1)}")
                self._skip(2)
            else:
                signs += self._peek() != "in"
                self._skip(1)
        return found[0] if len(found) == 1 and not signs else _OTHER

    def _list(self, closing: str) -> list[_Operand]:
        """What stands between brackets, of which the first was read already."""
        found: list[_Operand] = []
        while self._at < len(self._tokens) and self._peek() != closing:
            found.append(self._expression())
            if self._peek() != closing:
                self._skip(1)
        self._skip(1)
        return found

    def _operand(self) -> _Operand:
        token = self._tokens[self._at]
        self._skip(1)
        if token.text in _CLOSING and token.kind == "sign":
            operand = self._bracket(token.text)
        elif token.kind != "name" or token.text in (*_LITERALS, "in"):
            operand = _OTHER
        elif self._peek() == "(":
            operand = self._call(token.text)
        else:
            operand = self._name(token.text)
        while self._peek() in (".", "[") and self._kind() == "sign":
            operand = self._selected(operand)
        return operand

    def _bracket(self, opening: str) -> _Operand:
        begin = self._at
        inside = self._list(_CLOSING[opening])
        if opening == "(" and len(inside) == 1:
            return inside[0]
        written = self._tokens[begin : self._at - 1]
        is_written = all(token.kind != "name" or token.text in (*_LITERALS, *_SHORT_TEXTS) for token in written)
        if opening == "[" and is_written and not any(token.text in _CLOSING for token in written):
            return _Operand(_Kind.WRITTEN_LIST, len(inside))
        return _OTHER

    def _name(self, name: str) -> _Operand:
        if self._peek() == "{":
            self._flaw(f'"{name}{{…}}" cannot be used: there are no types to make values of')
        elif name in self._bound:
            return _OTHER
        elif name in NAMES:
            self.names.add(name)
        else:
            self._unknown_name(name)
        if name == "changed":
            self._charge(self._sizes.changed * _PART_MICROSECONDS * self._growth)
            return _Operand(_Kind.CHANGED, self._sizes.changed)
        if name == "needs":
            if self._peek() not in (".", "["):
                self._charge(self._sizes.needs * _PART_MICROSECONDS)
            return _Operand(_Kind.NEEDS, self._sizes.needs)
        return _OTHER

    def _unknown_name(self, name: str) -> None:
        known = (*NAMES, *dict.fromkeys(self._bound))
        self._flaw(f'there is no "{name}" here', None, name, *known)

    def _selected(self, operand: _Operand) -> _Operand:
        """What `.name`, `.name(…)` or `[…]` takes of an operand."""
        if self._peek() == "[":
            self._skip(1)
            named = self._tokens[self._at]
            alone = self._peek(1) == "]"
            self._list("]")
            if operand.kind is not _Kind.NEEDS:
                return _OTHER
            if named.kind == "text" and alone:
                self._needed(_written(named.text))
            return _Operand(_Kind.STEP)
        self._skip(1)
        name = self._peek()
        self._skip(1)
        if self._peek() == "(":
            return self._method(operand, name)
        if operand.kind is _Kind.NEEDS:
            self._needed(name)
            return _Operand(_Kind.STEP)
        if operand.kind is _Kind.STEP and name not in STEP_FIELDS:
            self._flaw(f'a needed step has no "{name}"', None, name, *STEP_FIELDS)
        return _OTHER

    def _needed(self, name: str | None) -> None:
        if name is not None and self._needs is not None and name not in self._needs:
            hint = None if self._needs else 'say in "needs" which steps it needs'
            self._flaw(f'the step does not need "{name}"', hint, name, *self._needs)

    def _call(self, function: str) -> _Operand:
        self._skip(1)
        if function == "matches":
            self._flaw('"matches" is asked of a text', 'write branch.matches("…")')
        elif function not in FUNCTIONS:
            self._unknown_function(function)
        self._list(")")
        return _OTHER

    def _unknown_function(self, function: str) -> None:
        self._flaw(f'there is no function "{function}"', None, function, *FUNCTIONS, *LOOPS)

    def _method(self, operand: _Operand, function: str) -> _Operand:
        if function in LOOPS or function in _MAKING_LOOPS:
            self._loop(operand, function)
            return _OTHER
        self._skip(1)
        if function not in FUNCTIONS or function == "has":
            self._unknown_function(function)
        if function == "matches":
            self._pattern()
        self._list(")")
        return _OTHER

    def _pattern(self) -> None:
        if self._kind() != "text" or self._peek(1) != ")":
            self._flaw('"matches" takes a pattern that is written out', 'write it in quotes: matches("…")')
            return
        pattern = self._peek()
        if "{" in pattern:
            self._flaw("a pattern cannot count with {…}", "write what repeats out, or use + and *")
        classes = len(re.findall(r"\\[A-Za-z]", pattern))
        compiled = _MATCH_MICROSECONDS + _PATTERN_MICROSECONDS * len(pattern) + _CLASS_MICROSECONDS * classes
        if compiled > _MOST_PATTERN_MICROSECONDS:
            self._flaw("the pattern is too much work", r"[0-9] is less work than \d")
        self.patterns.append(pattern)
        self._charge(compiled * (1 + self._growth * self._sizes.longest / 1000))

    def _loop(self, over: _Operand, word: str) -> None:
        if word in _MAKING_LOOPS:
            self._flaw(f'"{word}" cannot be used: it makes something new', 'ask with "exists", "all" or "exists_one"')
        elif over.kind not in _LOOPED_OVER:
            self._flaw('a loop goes over "changed", "needs" or a list that is written out')
        self._skip(1)
        self._bound.append(self._peek())
        self._skip(2)
        before = self._times
        self._times *= max(over.size, 1)
        self._expression()
        while self._peek() == ",":
            self._skip(1)
            self._expression()
        self._times = before
        self._bound.pop()
        self._skip(1)


def _written(literal: str) -> str | None:
    """What a text in quotes says; None where it takes more than removing them."""
    plain = re.fullmatch(r"""(["'])([^"'\\]*)\1""", literal)
    return plain[2] if plain else None
