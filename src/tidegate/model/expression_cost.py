"""How much work an expression is at most: an upper bound in microseconds, from figures that were measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.model.expression import tokens_of
from tidegate.model.expression_paths import ITEM, Path, Reads
from tidegate.model.expression_types import Type, Vocabulary, breadth, weight

_PART = 0.3
_ROUND = 0.5
_MATCH = 100.0
_PATTERN = 10.0
_CLASS = 500.0
_VALUE = 5.0
_CARRIED = 0.35
_TAKEN = 0.2
_LOOKED_UP = 0.05
_ZONE = 15.0
_CHARACTERS = 5000
"""Microseconds, measured and rounded up: evaluating one part, a round of a loop, calling `matches`, compiling a
character and a class of its pattern (which happens at every call), handing one value of the evidence over, carrying one
value into a round of a loop, taking one out of what holds it, looking up a name for each item of what it stands for,
and asking for the time in a zone. So many characters of text are copied in one."""


class Cost:
    """The work so far; what is inside of loops counts as often as they go round."""

    def __init__(self, expression: str, longest: int) -> None:
        # each "+" may make a text or a list longer, and all that is done with it later
        self._growth = 1 + sum(token.text == "+" for token in tokens_of(expression))
        self._longest = longest
        self._text = self._growth * longest / _CHARACTERS
        self._rounds = 1.0
        self._sum = 0.0
        self._copies: list[tuple[float, Path | None, Type | None]] = []

    def part(self) -> None:
        """One part is evaluated."""
        self._charge(_PART + self._text)

    def mention(self, kind: Type | None) -> None:
        """A name is looked up."""
        self._charge(_LOOKED_UP * breadth(kind))

    def taken(self, path: Path | None, kind: Type | None) -> None:
        """A field or an item is taken out of what holds it: it is copied with all that it holds."""
        self._copies.append((self._rounds * _TAKEN, path, kind))

    def values(self, *kinds: Type) -> None:
        """Values are compared or put together."""
        self._charge(sum(weight(one) for one in kinds) * (_PART + self._text))

    def zone(self) -> None:
        """The time in a zone is asked for."""
        self._charge(_ZONE)

    def pattern(self, characters: int, classes: int) -> float:
        """A pattern is compiled and matched; what the compiling costs."""
        compiled = _MATCH + _PATTERN * characters + _CLASS * classes
        self._charge(compiled * (1 + self._growth * self._longest / 1000))
        return compiled

    @contextmanager
    def times(self, rounds: int, path: Path | None, item: Type | None) -> Iterator[None]:
        """What is inside of a loop of so many rounds."""
        before, self._rounds = self._rounds, self._rounds * max(rounds, 1)
        self._charge(_ROUND)
        self._copies.append((self._rounds * _CARRIED, path, item))
        yield
        self._rounds = before

    def total(self, vocabulary: Vocabulary, reads: Reads) -> float:
        """All of it: of the evidence only what is read is handed over."""
        tree = reads.tree()
        handed = sum(
            weight(vocabulary.names[name].type, inner) for name, inner in tree.items() if name in vocabulary.names
        )
        carried = 0.0
        for rounds, path, kind in self._copies:
            carried += rounds * (weight(kind, _at(tree, path)) if kind else 1)
        return self._sum + carried + _VALUE * handed

    def _charge(self, microseconds: float) -> None:
        self._sum += self._rounds * microseconds


def _at(tree: dict[str, dict[str, object]], path: Path | None) -> dict[str, object]:
    """What is read below a place."""
    here: object = tree
    for name in path or ():
        here = here.get(name, here.get(ITEM, {})) if isinstance(here, dict) else {}
    return here if isinstance(here, dict) and path else {}
