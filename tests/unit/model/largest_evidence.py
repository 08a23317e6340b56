"""Evidence with a value in every field, and as much of it as there can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.model.evidence import LONGEST_TEXT
from tidegate.model.evidence_schema import vocabulary
from tidegate.model.expression_types import Choices, ListOf, MapOf, Record, Scalar, Type

_VALUES: dict[Scalar, Any] = {
    Scalar.TRUTH: True,
    Scalar.WHOLE: 1,
    Scalar.NUMBER: 1.5,
    Scalar.MOMENT: datetime(2026, 7, 1, 9, tzinfo=UTC),
    Scalar.SPAN: timedelta(hours=3),
}


def evidence(at_most: int = 10**6, text: str = "x" * LONGEST_TEXT) -> dict[str, Any]:
    """All fields of the evidence; no more than `at_most` items in a list."""
    return {name: _value(field.type, at_most, text) for name, field in vocabulary().names.items()}


def _value(kind: Type, at_most: int, text: str) -> Any:
    match kind:
        case Choices(words):
            return words[0]
        case Scalar():
            return text if kind is Scalar.TEXT else _VALUES[kind]
        case ListOf(item, most):
            assert item
            return [_value(item, at_most, text) for _ in range(min(most, at_most))]
        case MapOf(of, most):
            return {f"stage-{number}": _value(of, at_most, text) for number in range(min(most, at_most))}
        case Record(_, fields):
            return {name: _value(field.type, at_most, text) for name, field in fields.items()}
