"""What an expression reads: places in the evidence, and the part of the evidence that is at these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.model.expression_types import Field, ListOf, MapOf, Record, Type, Vocabulary

ITEM = "[]"
"""In a path: every item of a list, or every value of those by name."""

Path = tuple[str, ...]
"""Names from the top of the evidence."""


@dataclass(frozen=True, slots=True)
class Reads:
    """The places that are read, in the order in which they are written; `asked` are those of which only is asked
    whether they are there."""

    read: tuple[Path, ...] = ()
    asked: tuple[Path, ...] = ()

    def plus(self, path: Path, *, asked: bool = False) -> Reads:
        """With one more place."""
        if asked:
            return replace(self, asked=tuple(dict.fromkeys((*self.asked, path))))
        return replace(self, read=tuple(dict.fromkeys((*self.read, path))))

    def looped(self, path: Path) -> Reads:
        """With a list that is gone over: what is not read of its items does not matter."""
        inside = (*path, ITEM)
        if any(one[: len(inside)] == inside for one in (*self.read, *self.asked)):
            return self
        return self.plus(inside)

    @property
    def roots(self) -> frozenset[str]:
        """The names at the top."""
        return frozenset(path[0] for path in (*self.read, *self.asked))

    def tree(self) -> dict[str, Any]:
        """Names in names: what is empty is read whole."""
        tree: dict[str, Any] = {}
        for path in sorted({*self.read, *self.asked}, key=len, reverse=True):
            here = tree
            for name in path[:-1]:
                here = here.setdefault(name, {})
            here[path[-1]] = {}
        return {name: _without_both(one) for name, one in tree.items()}


def _without_both(tree: dict[str, Any]) -> dict[str, Any]:
    """Where all values and one by its name are read, all are read whole."""
    if ITEM in tree and len(tree) > 1:
        return {}
    return {name: _without_both(one) for name, one in tree.items()}


def part_of(evidence: Any, tree: Mapping[str, Any]) -> Any:
    """Of the evidence, what is read; what is missing in it is missing in that, too."""
    if not tree:
        return evidence
    if isinstance(evidence, list | tuple):
        return [part_of(one, tree.get(ITEM, {})) for one in evidence]
    if isinstance(evidence, Mapping):
        if ITEM in tree:
            return {name: part_of(one, tree[ITEM]) for name, one in evidence.items()}
        return {name: part_of(evidence[name], inner) for name, inner in tree.items() if name in evidence}
    return evidence


def written(path: Path) -> str:
    """A path as people write it: `changes[].authors`, `stages["load test"].state`."""
    text = ""
    for name in path:
        if name == ITEM:
            text += ITEM
        elif not text:
            text = name
        else:
            text += f".{name}" if name.isidentifier() else f'["{name}"]'
    return text


def missing_at(evidence: Any, path: Path) -> Path | None:
    """The beginning of the path up to what is missing there; None where all of it is there, in every item."""
    return next(_missing(evidence, path, ()), None)


def _missing(here: Any, rest: Path, gone: Path) -> Iterator[Path]:
    if not rest:
        return
    name, after = rest[0], rest[1:]
    if name == ITEM:
        for one in here.values() if isinstance(here, Mapping) else here:
            yield from _missing(one, after, (*gone, name))
    elif not isinstance(here, Mapping) or name not in here:
        yield (*gone, name)
    else:
        yield from _missing(here[name], after, (*gone, name))


def field_at(vocabulary: Vocabulary, path: Path) -> Field | None:
    """What is declared of a place; None for items and values by name, and for a place that there is not."""
    field = vocabulary.names.get(path[0])
    for name in path[1:]:
        here: Type | None = field.type if field else None
        match here:
            case Record():
                field = here.fields.get(name)
            case ListOf(item):
                field = Field(item) if item else None
            case MapOf(value):
                field = Field(value)
            case _:
                return None
    return field
