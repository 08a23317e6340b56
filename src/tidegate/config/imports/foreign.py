"""A foreign file, read so that nothing is dropped silently: what nobody took is named, with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tidegate.config.document import Document, Node, Path, Plain
from tidegate.config.problem import Position, Problem, problem_at
from tidegate.config.values import describe


@dataclass(slots=True)
class Notes:
    """What is said of a translation: what is `missing` from it, and what means something `different` now."""

    missing: list[Problem] = field(default_factory=list)
    different: list[Problem] = field(default_factory=list)

    def all_missing(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return _ordered(self.missing)

    def all_different(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return _ordered(self.different)


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda one: (one.line, one.column)))


@dataclass(slots=True)
class Keys:
    """A mapping of the file at `path`. Keys are taken one by one; `finish` names those that were not."""

    document: Document
    path: Path
    node: Node
    notes: Notes
    taken: set[str] = field(default_factory=set)
    inner: list[Keys] = field(default_factory=list)

    @staticmethod
    def of(document: Document, notes: Notes) -> Keys:
        """The whole file, which must be a mapping; of anything else it is an empty one."""
        return Keys(document, (), document.root, notes)

    def __contains__(self, key: str) -> bool:
        return self.node.is_mapping and key in (self.node.children or {})

    def __iter__(self) -> Iterator[str]:
        return iter([str(key) for key in self.node.children or {}] if self.node.is_mapping else [])

    def text(self, key: str) -> str | None:
        """A text; a number or yes and no are taken as they are written."""
        node = self._take(key)
        if node and node.children is not None:
            self._wrong(key, node, "a text")
        return node.written if node and node.scalar is not None else None

    def number(self, key: str) -> float | None:
        """A number, also one in quotes."""
        node = self._take(key)
        if node is None or (node.scalar is None and node.children is None):
            return None
        if node.children is None and re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", node.written):
            return float(node.written)
        self._wrong(key, node, "a number")
        return None

    def flag(self, key: str) -> bool | None:
        """Yes or no."""
        node = self._take(key)
        if node is None or isinstance(node.scalar, bool):
            return None if node is None else bool(node.scalar)
        self._wrong(key, node, "true or false")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        node = self._take(key)
        if node is None:
            return ()
        plain = node.plain()
        if isinstance(plain, list) and all(isinstance(one, str) for one in plain):
            return tuple(str(one) for one in plain)
        self._wrong(key, node, "a list of texts")
        return ()

    def keys(self, key: str) -> Keys | None:
        """A mapping in this one."""
        node = self._take(key)
        if node is None:
            return None
        if not node.is_mapping:
            self._wrong(key, node, "keys with values")
            return None
        return self._below((*self.path, key), node)

    def items(self, key: str) -> list[Keys]:
        """The mappings of a list."""
        node = self._take(key)
        if node is None:
            return []
        if node.is_mapping or node.children is None:
            self._wrong(key, node, "a list")
            return []
        return [self._below((*self.path, key, index), one) for index, one in node.children.items()]

    def plain(self, key: str) -> Plain:
        """The value as it is, None where there is none."""
        node = self._take(key)
        return node.plain() if node else None

    def is_empty(self, key: str) -> bool:
        """Whether the value says nothing: it is not there, null, or without anything in it."""
        return self.plain(key) in (None, {}, [], "")

    def missing(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        """Name something that the translation cannot say, at a key or at the mapping itself."""
        if key is not None:
            self.taken.add(key)
        self.notes.missing.append(self._problem(message, hint, key))

    def different(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        """Name something that means something else now."""
        self.notes.different.append(self._problem(message, hint, key))

    def without_effect(self, *keys: str) -> None:
        """Keys that say nothing about judging, such as who made the file."""
        self.taken.update(keys)

    def finish(self) -> None:
        """Name all that was not taken, here and below."""
        for key in self:
            if key not in self.taken:
                self.missing(f'"{key}" is not translated', None, key)
        for one in self.inner:
            one.finish()

    def _below(self, path: Path, node: Node) -> Keys:
        made = Keys(self.document, path, node, self.notes)
        self.inner.append(made)
        return made

    def _take(self, key: str) -> Node | None:
        self.taken.add(key)
        return (self.node.children or {}).get(key) if self.node.is_mapping else None

    def _wrong(self, key: str, node: Node, expected: str) -> None:
        self.missing(f'"{key}": expected {expected}, found {describe(node.plain())}', None, key)

    def _problem(self, message: str, hint: str | None, key: str | None) -> Problem:
        position = self._position(key)
        return problem_at(self.document.file, position, message, hint)

    def _position(self, key: str | None) -> Position:
        return self.node.position if key is None else self.node.keys.get(key, self.node.position)
