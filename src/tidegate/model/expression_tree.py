"""An expression as a tree, made of its words.

A compiler took the expression before: whatever is not understood here is a part of the language that is not offered,
and is refused with its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.model.expression import Flaw, Token, tokens_of


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes; `value` is None where it takes more than removing them."""

    at: int
    written: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written out."""

    at: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Word:
    """`true`, `false` or `null`."""

    at: int
    word: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands by itself."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`of.name`"""

    at: int
    of: Tree
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`"""

    at: int
    of: Tree
    key: Tree


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, or `of.function(arguments)`."""

    at: int
    function: str
    of: Tree | None
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """`[items]`"""

    at: int
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """Signs before something: `!` and `-`, the outermost first."""

    at: int
    signs: tuple[str, ...]
    of: Tree


@dataclass(frozen=True, slots=True)
class Operation:
    """`left sign right`"""

    at: int
    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Choice:
    """`asked ? yes : no`"""

    at: int
    asked: Tree
    yes: Tree
    no: Tree


Tree = Text | Number | Word | Name | Select | Index | Call | Listing | Signed | Operation | Choice

_BINDING = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_WORDS = ("true", "false", "null")


class NotOffered(Exception):
    """A part of the language that cannot be used."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


def tree_of(expression: str) -> Tree:
    """Read an expression that keeps the limits and that a compiler took. Raises NotOffered."""
    reader = _Reader(tokens_of(expression), len(expression))
    tree = reader.choice()
    if reader.peek():
        raise reader.not_offered()
    return tree


class _Reader:
    """Precedence climbing (https://eli.thegreenplace.net/2012/08/02/parsing-expressions-by-precedence-climbing)."""

    def __init__(self, tokens: tuple[Token, ...], end: int) -> None:
        self._tokens = tokens
        self._index = 0
        self._end = end

    def peek(self) -> str:
        return self._tokens[self._index].text if self._index < len(self._tokens) else ""

    def not_offered(self) -> NotOffered:
        word = self.peek()
        known = "{…}" if word == "{" else word or "the end"
        return NotOffered(Flaw(f"{known} cannot be used here", at=self._at))

    def choice(self) -> Tree:
        asked = self._operation(1)
        if self.peek() != "?":
            return asked
        at = self._take("?")
        yes = self.choice()
        self._take(":")
        return Choice(at, asked, yes, self.choice())

    @property
    def _at(self) -> int:
        return self._tokens[self._index].at if self._index < len(self._tokens) else self._end

    def _kind(self) -> str:
        return self._tokens[self._index].kind if self._index < len(self._tokens) else ""

    def _take(self, text: str) -> int:
        """Go over a word that must be there; where it stands."""
        if self.peek() != text or self._kind() == "text":
            raise self.not_offered()
        at = self._at
        self._index += 1
        return at

    def _next(self) -> Token:
        if self._index >= len(self._tokens):
            raise self.not_offered()
        self._index += 1
        return self._tokens[self._index - 1]

    def _operation(self, least: int) -> Tree:
        left = self._signed()
        while self._kind() in ("sign", "name") and _BINDING.get(self.peek(), 0) >= least:
            sign = self._next()
            left = Operation(sign.at, sign.text, left, self._operation(_BINDING[sign.text] + 1))
        return left

    def _signed(self) -> Tree:
        at, signs = self._at, []
        while self.peek() in ("!", "-"):
            signs.append(self._next().text)
        of = self._member()
        return Signed(at, tuple(signs), of) if signs else of

    def _member(self) -> Tree:
        tree = self._primary()
        while self._kind() == "sign" and self.peek() in (".", "["):
            if self.peek() == "[":
                at = self._take("[")
                tree = Index(at, tree, self.choice())
                self._take("]")
                continue
            self._take(".")
            if self._kind() != "name":
                raise self.not_offered()
            name = self._next()
            tree = self._call(name, tree) if self.peek() == "(" else Select(name.at, tree, name.text)
        return tree

    def _primary(self) -> Tree:
        kind, word = self._kind(), self.peek()
        if kind == "sign" and word == "(":
            self._take("(")
            tree = self.choice()
            self._take(")")
            return tree
        if kind == "sign" and word == "[":
            at = self._take("[")
            return Listing(at, self._list("]"))
        if kind == "sign" or not kind or word == "in":
            raise self._unknown()
        token = self._next()
        if kind == "text":
            return self._text(token)
        if kind == "number":
            return self._number(token)
        if word in _WORDS:
            return Word(token.at, word)
        if self.peek() == "{":
            message = f'"{word}{{…}}" cannot be used: there are no types to make values of'
            raise NotOffered(Flaw(message, at=token.at))
        return self._call(token, None) if self.peek() == "(" else Name(token.at, word)

    def _unknown(self) -> NotOffered:
        if self.peek() == "." and self._index + 1 < len(self._tokens):
            at = self._at
            return NotOffered(Flaw(f'there is no ".{self._tokens[self._index + 1].text}" here', at=at))
        return self.not_offered()

    def _call(self, name: Token, of: Tree | None) -> Tree:
        self._take("(")
        return Call(name.at, name.text, of, self._list(")"))

    def _list(self, closing: str) -> tuple[Tree, ...]:
        """What stands between brackets, of which the first was read already."""
        found: list[Tree] = []
        while self.peek() != closing:
            found.append(self.choice())
            if self.peek() != closing:
                self._take(",")
        self._take(closing)
        return tuple(found)

    def _text(self, token: Token) -> Text:
        prefix = re.match("[A-Za-z]*", token.text)
        if prefix and "b" in prefix[0].lower():
            raise NotOffered(Flaw(f"{token.text} cannot be used: there are no bytes to compare it with", at=token.at))
        plain = re.fullmatch(r"""(["'])([^"'\\]*)\1""", token.text)
        return Text(token.at, token.text, plain[2] if plain else None)

    def _number(self, token: Token) -> Number:
        if re.fullmatch(r"[0-9]+|0x[0-9A-Fa-f]+", token.text):
            return Number(token.at, is_whole=True)
        if re.fullmatch(r"[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+", token.text):
            return Number(token.at, is_whole=False)
        hint = "leave out the u" if token.text.lower().endswith("u") else None
        raise NotOffered(Flaw(f"{token.text} cannot be used as a number", hint, at=token.at))
