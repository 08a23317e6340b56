"""A YAML file as plain values, each with its position in the file.

Only what a configuration needs of YAML 1.2 is taken: one document of mappings, sequences and scalars of the core
schema (https://yaml.org/spec/1.2.2/#103-core-schema). Limits keep a hostile file from costing time or memory.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tidegate.config.problem import ConfigError, Position, Problem, problem_at
from tidegate.config.written import place_in

LARGEST_FILE = 256 * 1024
"""Characters: a hundred times a long pipeline; parsing that much takes about a second."""

MOST_VALUES = 20_000
"""Values in a file, with what aliases repeat counted each time."""

DEEPEST_NESTING = 32

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
Path = tuple[str | int, ...]
"""The keys and indexes that lead from the top of a document to a value."""


@dataclass(slots=True)
class Node:
    """A value of the file. `written` is a scalar's text, `span` where it begins and ends among the characters of the
    file; `size` counts all values in it."""

    position: Position
    scalar: Scalar = None
    written: str = ""
    children: dict[str | int, Node] | None = None
    keys: dict[str, Position] = field(default_factory=dict)
    is_mapping: bool = False
    size: int = 1
    span: tuple[int, int] = (0, 0)

    def plain(self) -> Plain:
        """The value without positions."""
        if self.children is None:
            return self.scalar
        if self.is_mapping:
            return {str(key): child.plain() for key, child in self.children.items()}
        return [child.plain() for child in self.children.values()]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read. `problems` are those in spite of which the rest could be read."""

    file: str
    root: Node
    problems: tuple[Problem, ...]
    text: str = ""

    def plain(self) -> Plain:
        """The whole file without positions."""
        return self.root.plain()

    def node(self, path: Path) -> Node:
        """The value at the path, or the nearest one around it where the file has no such value."""
        node = self.root
        for part in path:
            if isinstance(part, int) and node.is_mapping:
                continue  # a section that stands alone where a list may: it is the list's only item
            if node.children is None or part not in node.children:
                break
            node = node.children[part]
        return node

    def key(self, path: Path) -> Position:
        """Where the key that the path ends in stands; where the value stands, if that is no value of a key."""
        around = self.node(path[:-1])
        return around.keys.get(str(path[-1]), self.node(path).position) if path else self.root.position

    def problem(self, path: Path, message: str, hint: str | None = None, *, on_key: bool = False) -> Problem:
        """The problem with the value (or the key) at the path."""
        position = self.key(path) if on_key else self.node(path).position
        return problem_at(self.file, position, message, hint)

    def problem_within(self, path: Path, offset: int, message: str, hint: str | None = None) -> Problem:
        """The problem with what follows `offset` characters of the text at the path, however YAML writes that."""
        node = self.node(path)
        index = place_in(self.text, node.span, node.written, offset)
        line = self.text.count("\n", 0, index) + 1
        column = index - self.text.rfind("\n", 0, index)
        return problem_at(self.file, Position(line, column), message, hint)


def decode(raw: bytes, file: str) -> str:
    """The text of a file's bytes, which must be UTF-8. Raises ConfigError."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = problem_at(file, Position(line, column), "this is not UTF-8", "save the file as UTF-8 text")
        raise ConfigError([problem]) from None


def read(text: str, file: str) -> Document:
    """Read YAML. Raises ConfigError where it is no YAML, empty, or beyond the limits of this module."""
    return _Reader(text.removeprefix("\ufeff"), file).document()


def read_all(text: str, file: str) -> tuple[Document, ...]:
    """Read YAML of one or several documents, as `kubectl` takes it. Raises ConfigError as `read` does."""
    return _Reader(text.removeprefix("\ufeff"), file).documents()


class _Refused(Exception):
    """Reading cannot go on."""

    def __init__(self, index: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.index = index
        self.message = message
        self.hint = hint


class _Reader:
    """Builds a document from the parser's events: one pass, in which the limits are checked before memory is spent."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._anchors: dict[str, Node | None] = {}
        self._problems: list[Problem] = []
        self._values = 0

    def document(self) -> Document:
        return self.documents(most=1)[0]

    def documents(self, most: int | None = None) -> tuple[Document, ...]:
        try:
            self._check_text()
            roots = list(self._roots(YAML(typ="safe", pure=True).parse(self._text), most))
            if not roots:
                raise _Refused(0, "the file is empty", '"tidegate init" writes a first one' if most else None)
        except _Refused as refused:
            self._note(refused.index, refused.message, refused.hint)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._note(mark.index if mark else 0, *_syntax(error))
        except (YAMLError, ValueError, OverflowError) as error:
            # the scanner lets Python's own errors out for escapes such as "\UFFFFFFFF"; they carry no position
            self._note(0, f"this is not YAML: {error}")
        else:
            return tuple(Document(self._file, root, tuple(self._problems), self._text) for root in roots)
        raise ConfigError(self._problems)

    def _check_text(self) -> None:
        if len(self._text) > LARGEST_FILE:
            size = f"{len(self._text):,} characters, the limit is {LARGEST_FILE:,}"
            raise _Refused(0, f"the file is too large: {size}", "move scripts into files of their own")
        bad = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", self._text)
        if bad:
            raise _Refused(bad.start(), f"a character that no YAML file may hold: U+{ord(bad[0]):04X}")

    def _roots(self, events: Iterator[Event], most: int | None) -> Iterator[Node]:
        """The top of each document that holds something; of a file of one, an empty one is refused."""
        found = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if found == most:
                    raise _Refused(event.start_mark.index, "a second document begins here", "keep one in a file")
                found += 1
                self._anchors.clear()
                root = self._node(next(events), events, 0)
                if root.children is not None or root.scalar is not None:
                    yield root

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        index = event.start_mark.index
        if depth > DEEPEST_NESTING:
            raise _Refused(index, f"nested too deeply: the limit is {DEEPEST_NESTING} levels")
        if isinstance(event, AliasEvent):
            node = self._aliased(event.anchor, index)
            self._count(node.size, index)
            return node
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        self._count(1, index)
        if event.tag not in (None, "!"):
            self._note(index, f'the tag "{event.tag}" is not supported', _without_tag(event.tag))
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._filled(event, events, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _filled(self, event: ScalarEvent | CollectionStartEvent, events: Iterator[Event], depth: int) -> Node:
        node = Node(self._position(event.start_mark.index))
        if isinstance(event, ScalarEvent):
            node.written = event.value
            node.span = (event.start_mark.index, event.end_mark.index)
            node.scalar = self._scalar(event)
        elif isinstance(event, SequenceStartEvent):
            node.children = {}
            for inner in events:
                if isinstance(inner, SequenceEndEvent):
                    break
                self._add(node, len(node.children), self._node(inner, events, depth + 1))
        else:
            node.is_mapping = isinstance(event, MappingStartEvent)
            node.children = {}
            self._fill_mapping(node, events, depth)
        return node

    def _fill_mapping(self, node: Node, events: Iterator[Event], depth: int) -> None:
        for inner in events:
            if isinstance(inner, MappingEndEvent):
                return
            index = inner.start_mark.index
            key = self._node(inner, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if key.children is not None:
                self._note(index, "a key must be a word, not a list or a mapping")
            elif key.written == "<<" and isinstance(inner, ScalarEvent) and inner.implicit[0]:
                self._note(index, 'the merge key "<<" is not part of YAML 1.2', "write the keys out")
            elif key.written in node.keys:
                first = node.keys[key.written].line
                self._note(index, f'the key "{key.written}" is here twice; the first is in line {first}')
            else:
                node.keys[key.written] = self._position(index)
                self._add(node, key.written, value)

    @staticmethod
    def _add(node: Node, key: str | int, child: Node) -> None:
        assert node.children is not None
        node.children[key] = child
        node.size += child.size

    def _aliased(self, anchor: str, index: int) -> Node:
        if anchor not in self._anchors:
            hint = 'text that begins with "*" needs quotes, like "*.py"'
            raise _Refused(index, f'there is no anchor "&{anchor}" before this', hint)
        node = self._anchors[anchor]
        if node is None:
            raise _Refused(index, f'"*{anchor}" stands inside of what it names')
        return node

    def _count(self, values: int, index: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise _Refused(index, f"too many values (aliases count each time): the limit is {MOST_VALUES:,}")

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        if re.search("[\x00\ud800-\udfff]", text):
            self._note(event.start_mark.index, "text with a NUL or half of a surrogate pair cannot be used")
            return "?"
        if not event.implicit[0]:
            # `- !docs/**` is a tag and nothing else; what was meant is complained of once
            return text or (event.tag if event.tag and event.style is None else text)
        value = _core_schema(text)
        if value is _TOO_LONG:
            self._note(event.start_mark.index, f"the number {text[:20]}… has too many digits")
            return 0
        return value

    def _note(self, index: int, message: str, hint: str | None = None) -> None:
        self._problems.append(problem_at(self._file, self._position(index), message, hint))

    def _position(self, index: int) -> Position:
        line = bisect_right(self._line_starts, index)
        return Position(line, index - self._line_starts[line - 1] + 1)


_TOO_LONG = "number too long"
_MOST_DIGITS = 18


def _core_schema(text: str) -> Scalar:
    """What a plain scalar means by YAML 1.2's core schema; `_TOO_LONG` for a number nobody means."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if re.fullmatch(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", text):
        if len(text) > _MOST_DIGITS:
            return _TOO_LONG
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    return text


def _without_tag(tag: str) -> str:
    if re.fullmatch(r"!.*[*/.?].*", tag):
        return f'text that begins with "!" needs quotes: "{tag.rstrip("],")}"'
    return "write the value without it"


def _syntax(error: MarkedYAMLError) -> tuple[str, str | None]:
    """A parser's complaint in a user's words, with a remedy for the frequent ones."""
    what = ", ".join(str(part) for part in (error.context, error.problem) if part)
    if r"'\t'" in what:
        return "a tab where YAML allows none", "indent with spaces"
    if "mapping values are not allowed" in what:
        return "this is not YAML: a second ':' in one line", 'put the text in quotes, or begin it with "|"'
    if starts := re.search("found character '(.)' that cannot start any token", what):
        return f"this is not YAML: {what}", f'text that begins with "{starts[1]}" needs quotes'
    begun, noticed = error.context_mark, error.problem_mark
    if begun and noticed and begun.line != noticed.line:
        return f"this is not YAML: {what}", f"what is unfinished began in line {begun.line + 1}"
    return f"this is not YAML: {what}", None
