"""What an expression may ask about: names, and the types of what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Scalar(Enum):
    """The types of single values, each with what it is called in a message."""

    TRUTH = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text"
    MOMENT = "a moment"
    SPAN = "a duration"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Choices:
    """A text that is always one of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most so many items; `item` is None where it is written out and empty."""

    item: Type | None
    at_most: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values by names. `known` are the names that may be asked for, None where any may; `lacks` is said of others."""

    value: Type
    at_most: int
    known: tuple[str, ...] | None = None
    lacks: str = "there is no"
    hint: str | None = None
    """What to do where there are no names at all."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. `missing` says what is so where it has no value; None where it always has one."""

    type: Type
    doc: str = ""
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Fields by name; `called` is what messages call it."""

    called: str
    fields: Mapping[str, Field] = field(hash=False)


Type = Scalar | Choices | ListOf | MapOf | Record


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that an expression may begin with. `longest` bounds the characters of each text that they lead to;
    `has_time` says that there are moments and durations among them."""

    names: Mapping[str, Field] = field(hash=False)
    longest: int = 200
    has_time: bool = False


def is_text(one: Type | None) -> bool:
    """Whether it is a text of any kind."""
    return one is Scalar.TEXT or isinstance(one, Choices)


def is_number(one: Type | None) -> bool:
    """Whether it is a number of either kind."""
    return one in (Scalar.WHOLE, Scalar.NUMBER)


def described(one: Type) -> str:
    """What messages call a value of the type."""
    match one:
        case Scalar():
            return one.value
        case Choices():
            return Scalar.TEXT.value
        case ListOf():
            return "a list"
        case MapOf():
            return "values by name"
        case Record():
            return f"{one.called} as a whole"


def comparable(left: Type, right: Type) -> bool:
    """Whether `==` of the two can ever be true."""
    if (is_number(left) and is_number(right)) or (is_text(left) and is_text(right)):
        return True
    if isinstance(left, ListOf) and isinstance(right, ListOf):
        return left.item is None or right.item is None or comparable(left.item, right.item)
    return isinstance(left, Scalar) and left is right


def common(left: Type, right: Type) -> Type | None:
    """The type that stands for both, None where there is none."""
    if left == right:
        return left
    if is_text(left) and is_text(right):
        return Scalar.TEXT
    if isinstance(left, ListOf) and isinstance(right, ListOf):
        item = left.item or right.item
        if left.item and right.item:
            item = common(left.item, right.item)
            if item is None:
                return None
        return ListOf(item, max(left.at_most, right.at_most))
    return None


def weight(one: Type, read: Mapping[str, object] | None = None) -> int:
    """How many values it holds at most; with `read` (names in names, `[]` for items) only of those that are read."""
    match one:
        case Scalar() | Choices():
            return 1
        case ListOf():
            inner = _inner(read, "[]")
            return 1 + one.at_most * (weight(one.item, inner) if one.item else 0)
        case MapOf():
            return 1 + sum(
                (one.at_most if name == "[]" else 1) * weight(one.value, _inner(read, name)) for name in read or ("[]",)
            )
        case Record():
            names = [name for name in read if name in one.fields] if read else list(one.fields)
            return 1 + sum(weight(one.fields[name].type, _inner(read, name)) for name in names)


def breadth(one: Type | None) -> int:
    """How many values it holds itself at most, without what these hold."""
    match one:
        case ListOf() | MapOf():
            return 1 + one.at_most
        case Record():
            return 1 + len(one.fields)
    return 1


def _inner(read: Mapping[str, object] | None, name: str) -> Mapping[str, object] | None:
    inner = read.get(name) if read else None
    return inner if isinstance(inner, Mapping) and inner else None
