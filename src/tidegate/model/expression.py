"""Expressions: their words, and the limits beyond which none is looked at.

An expression is written by whoever may write to a repository and evaluated by the server, which does nothing else
meanwhile. The language (CEL, https://github.com/google/cel-spec) has no endless loops, but it has loops in loops. So
only those parts of it are taken whose work can be told beforehand: loops that ask (`exists`, `all`, `exists_one`)
over what is known to be short, and no loops that make new lists or texts. `expression_tree` reads the words as a
tree, `expression_types` says what there is to ask about, and `expression_check` holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_EXPRESSION = 1000
"""Characters. What is longer belongs into a script."""

MOST_PARTS = 400
DEEPEST_BRACKETS = 16
"""Together they bound the stack that a compiler and an evaluator need."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>(?i:r[b]?|b[r]?)?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>\d[\w.]*(?:(?<=[eE])[-+]\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||[<>=!]=|[^\s])""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with an expression. `word` is one that nobody knows where `known` are the words that there are;
    `at` counts the characters before the place that is meant, None where it is all of it."""

    message: str
    hint: str | None = None
    word: str | None = None
    known: tuple[str, ...] = ()
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression: a `text`, a `number`, a `name` or a `sign`; `at` characters stand before it."""

    kind: str
    text: str
    at: int


def tokens_of(expression: str) -> tuple[Token, ...]:
    """The words of an expression, without spaces and comments."""
    found = (Token(match.lastgroup or "", match[0], match.start()) for match in _TOKEN.finditer(expression))
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
