"""Pydantic's complaints in a user's words, each at its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tidegate.config.document import Document, Node, Path
from tidegate.config.problem import ConfigError, Problem, did_you_mean, quoted_list
from tidegate.config.section import Section, known_keys, section_at
from tidegate.config.values import WRONG, describe

_EXPECTED = {
    "model_type": "keys with values",
    "dict_type": "keys with values",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
_LIMITS = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt}",
}

MOST_PROBLEMS = 200
"""Nobody reads more of them at once, and looking for the nearest word takes time."""

_S = TypeVar("_S", bound=Section)


def validate(document: Document, kind: type[_S], contradictions: Iterator[Problem]) -> _S:
    """The file as a section of `kind`; `contradictions` are what else is wrong with it.

    Raises ConfigError with all problems, those of keys and values and the contradictions.
    """
    section = None
    details: list[ErrorDetails] = []
    try:
        section = kind.model_validate(document.plain())
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    refused = [_path(one) for one in details[:MOST_PROBLEMS] if one["type"] == "extra_forbidden"]
    found = chain(
        document.problems,
        (_problem(one, document, kind) for one in details if not _is_said_elsewhere(one, document)),
        _without_value(document, document.root, (), refused),
        contradictions,
    )
    problems = list(islice(found, MOST_PROBLEMS))
    if more := next(found, None):
        problems.append(replace(more, message="this and more is wrong", hint="repair the others first"))
    if section is None or problems:
        raise ConfigError(problems)
    return section


def _without_value(document: Document, node: Node, path: Path, refused: list[Path]) -> Iterator[Problem]:
    """A key that has no value is nearly always a value forgotten; pydantic would take it for a default."""
    if path in refused:
        return
    if node.children is None and node.scalar is None:
        what = f'"{path[-1]}" has no value' if path and isinstance(path[-1], str) else "an item without a value"
        yield document.problem(path, what, "write one, or remove it", on_key=True)
    for key, child in (node.children or {}).items():
        yield from _without_value(document, child, (*path, key), refused)


def _is_said_elsewhere(detail: ErrorDetails, document: Document) -> bool:
    """Whether the complaint is about an absent value, of which `_without_value` already speaks, or about a list (or
    one item in its place) as too short because pydantic does not count the items that it complains about."""
    if detail["type"] in ("missing", "extra_forbidden"):
        return False
    node = document.node(_path(detail))
    if detail["type"] == "too_short" and (node.children or node.scalar is not None):
        return True
    return node.children is None and node.scalar is None


def _path(detail: ErrorDetails) -> Path:
    return tuple(part for part in detail["loc"] if part != "[key]")


def _problem(detail: ErrorDetails, document: Document, root: type[Section]) -> Problem:
    path, kind, context = _path(detail), detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, document, root)
    if kind == "missing":
        return document.problem(path[:-1], f'"{path[-1]}" is missing', _where(path[:-1]))
    if kind == WRONG:
        on_key = "[key]" in detail["loc"]
        return document.problem(path, context["message"], context["hint"], on_key=on_key)
    node = document.node(path)
    if kind in _EXPECTED:
        found = describe(node.plain())
        return document.problem(path, f"expected {_EXPECTED[kind]}, found {found}", _remedy(kind, node))
    if kind in _LIMITS:
        limit = _LIMITS[kind].format(**context)
        return document.problem(path, f"{node.written} is out of range: {path[-1]} is {limit}")
    if kind == "too_long":
        return document.problem(path, f'"{path[-1]}" has more than {context["max_length"]} items')
    if kind == "too_short":
        return document.problem(path, f'"{path[-1]}" is empty', "name at least one, or remove the key")
    return document.problem(path, detail["msg"][:1].lower() + detail["msg"][1:])


def _unknown_key(path: Path, document: Document, root: type[Section]) -> Problem:
    section = section_at(root, path[:-1])
    word = str(path[-1])
    known = known_keys(section) if section else []
    near = did_you_mean(word, known)
    if section and word in section.not_yet:
        return document.problem(path, f'"{word}" is not supported yet', "remove it", on_key=True)
    if section and word in section.misplaced:
        return document.problem(path, f'"{word}" does not belong here', section.misplaced[word], on_key=True)
    return document.problem(path, f'unknown key "{word}"', near or f"known here: {quoted_list(known)}", on_key=True)


def _remedy(kind: str, node: Node) -> str | None:
    if kind == "string_type" and node.children is None:
        return f'write it in quotes: "{node.written}"'
    if kind == "tuple_type" and node.children is None:
        plain = re.fullmatch("[A-Za-z0-9][A-Za-z0-9 ._/*-]*", node.written)
        return f"write [{node.written}]" if plain else f'write ["{node.written}"]'
    if kind in ("int_type", "float_type", "bool_type") and isinstance(node.scalar, str):
        return "write it without quotes" if node.written.isdigit() else None
    return None


def _where(path: Path) -> str | None:
    """In which part of the file something is missing."""
    words = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path]
    return f"in {''.join(words).removeprefix('.')}" if words else None
