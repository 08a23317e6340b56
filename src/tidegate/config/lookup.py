"""Looking into a plain file without minding what has a wrong type: that is reported where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tidegate.config.document import Path, Plain

_T = TypeVar("_T", str, int, bool, list[Plain])


@dataclass(frozen=True, slots=True)
class Item:
    """A mapping in a list of the file, and its place."""

    path: Path
    keys: Mapping[str, Plain]

    @property
    def name(self) -> str | None:
        """What the item is called; None where it has no name that is a text."""
        return get(self.keys, "name", str)


def at(value: Plain, path: Path) -> Plain:
    """The value at the path, None where there is none."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        else:
            return None
    return value


def get(keys: Plain | Mapping[str, Plain], key: str, kind: type[_T]) -> _T | None:
    """The value of a key, None where it is not of that kind."""
    value = keys.get(key) if isinstance(keys, Mapping) else None
    return value if isinstance(value, kind) else None


def items(pipeline: Plain, path: Path) -> Iterator[Item]:
    """The mappings in the list at the path."""
    found = at(pipeline, path)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield Item((*path, index), item)


def words(item: Item, key: str) -> Iterator[tuple[Path, str]]:
    """The texts in a list of the item, each with its place."""
    for index, word in enumerate(get(item.keys, key, list) or ()):
        if isinstance(word, str):
            yield (*item.path, key, index), word
