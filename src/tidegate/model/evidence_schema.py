"""The evidence as types: what the checker of policies knows, and the evidence as plain values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from tidegate.model.evidence import LONGEST_TEXT, Doc, Evidence
from tidegate.model.expression_paths import ITEM, Path, written
from tidegate.model.expression_types import Choices, Field, ListOf, MapOf, Record, Scalar, Type, Vocabulary

_SCALARS: Mapping[type, Scalar] = {
    bool: Scalar.TRUTH,
    int: Scalar.WHOLE,
    float: Scalar.NUMBER,
    str: Scalar.TEXT,
    datetime: Scalar.MOMENT,
    timedelta: Scalar.SPAN,
}


def vocabulary(stages: Collection[str] | None = None) -> Vocabulary:
    """What a policy may ask about. `stages` are the names of the pipeline's, None where any may be named."""
    return _vocabulary(None if stages is None else tuple(stages))


@cache
def moving() -> frozenset[Path]:
    """The places that change as time goes by."""
    return frozenset(_moving(Evidence, ()))


def plain(evidence: Any) -> Any:
    """The evidence as values in lists and by names; what is missing is left out, a long text is cut."""
    if is_dataclass(evidence):
        named = {one.name: getattr(evidence, one.name) for one in fields(evidence)}
        return {name: plain(value) for name, value in named.items() if value is not None}
    if isinstance(evidence, StrEnum):
        return evidence.value
    if isinstance(evidence, str):
        return evidence if len(evidence) <= LONGEST_TEXT else evidence[: LONGEST_TEXT - 1] + "…"
    if isinstance(evidence, tuple):
        return [plain(one) for one in evidence]
    if isinstance(evidence, Mapping):
        return {str(name): plain(value) for name, value in evidence.items()}
    return evidence


def doc_of(record: Any, name: str) -> tuple[Any, Doc]:
    """The annotation of a field, without its documentation, and that."""
    annotation = get_type_hints(record, include_extras=True)[name]
    kind, doc = get_args(annotation)
    return kind, doc


@cache
def _vocabulary(stages: tuple[str, ...] | None) -> Vocabulary:
    record = _record(Evidence, "the evidence")
    names = dict(record.fields)
    by_name = names["stages"].type
    assert isinstance(by_name, MapOf)
    hint = 'the file has no "stages"'
    named = MapOf(by_name.value, by_name.at_most, stages, "the pipeline has no stage", hint)
    names["stages"] = Field(named, names["stages"].doc, names["stages"].missing)
    return Vocabulary(names, LONGEST_TEXT, has_time=True)


def _record(of: Any, called: str) -> Record:
    prefix = "" if of is Evidence else f"{called}."
    return Record(called, {one.name: _field(of, one.name, prefix + one.name) for one in fields(of)})


def _field(of: Any, name: str, called: str) -> Field:
    kind, doc = doc_of(of, name)
    return Field(_type(kind, doc, called), doc.text, doc.missing)


def _type(kind: Any, doc: Doc, called: str) -> Type:
    kind = present(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_dataclass(kind):
        return _record(kind, called)
    if get_origin(kind) is tuple:
        return ListOf(_type(get_args(kind)[0], doc, called + ITEM), doc.at_most)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Choices(tuple(one.value for one in kind))
    return MapOf(_type(get_args(kind)[1], doc, called + ITEM), doc.at_most)


def present(kind: Any) -> Any:
    """The type without `| None`."""
    if get_origin(kind) is Annotated:
        return present(get_args(kind)[0])
    if isinstance(kind, UnionType):
        return next(one for one in get_args(kind) if one is not NoneType)
    return kind


def _moving(of: Any, path: Path) -> list[Path]:
    found: list[Path] = []
    for one in fields(of):
        kind, doc = doc_of(of, one.name)
        kind = present(kind)
        if doc.moves:
            found.append((*path, one.name))
        if is_dataclass(kind):
            found += _moving(kind, (*path, one.name))
    return found


@dataclass(frozen=True, slots=True)
class Lack:
    """A place of the evidence that has no value, and what is so there."""

    place: str
    because: str


def lacks(evidence: Mapping[str, Any]) -> tuple[Lack, ...]:
    """All that is missing in the evidence, which is `plain`; what is missing in several items is named once."""
    found = dict.fromkeys(_lacks(Record("", vocabulary().names), evidence, ()))
    return tuple(Lack(written(path), because) for path, because in found)


def _lacks(kind: Type | None, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match kind:
        case Record(_, fields):
            for name, field in fields.items():
                if name in value:
                    yield from _lacks(field.type, value[name], (*path, name))
                elif field.missing:
                    yield (*path, name), field.missing
        case ListOf(item):
            for one in value:
                yield from _lacks(item, one, (*path, ITEM))
        case MapOf(of):
            for name, one in value.items():
                yield from _lacks(of, one, (*path, name))
