"""The functions of expressions, and which operations fit which types."""

from __future__ import annotations

from tidegate.model.expression_types import ListOf, Scalar, Type, common, is_number, is_text

FUNCTIONS = ("size", "contains", "startsWith", "endsWith", "matches", "has", "int", "string", "double")
TIME_FUNCTIONS = (
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
)
LOOPS = ("exists", "all", "exists_one")
MAKING_LOOPS = ("map", "filter", "existsOne", "transformList", "transformMap")
WRITTEN_TIMES = {"timestamp": Scalar.MOMENT, "duration": Scalar.SPAN}
"""What makes a time of a text, which must be written out, so that it can be checked beforehand."""

OF_MOMENTS = TIME_FUNCTIONS[2:]
OF_SPANS = ("getHours", "getMinutes", "getSeconds", "getMilliseconds")

_CONVERSIONS: dict[str, tuple[Type, tuple[Type, ...]]] = {
    "int": (Scalar.WHOLE, (Scalar.TEXT, Scalar.WHOLE, Scalar.NUMBER)),
    "double": (Scalar.NUMBER, (Scalar.TEXT, Scalar.WHOLE, Scalar.NUMBER)),
    "string": (Scalar.TEXT, (Scalar.TEXT, Scalar.WHOLE, Scalar.NUMBER, Scalar.MOMENT, Scalar.SPAN)),
}
_ORDERED = (Scalar.MOMENT, Scalar.SPAN)


def converted(function: str, given: Type) -> Type | None:
    """What `int`, `double` or `string` makes of a value; None where they do not take it."""
    result, taken = _CONVERSIONS[function]
    return result if (Scalar.TEXT if is_text(given) else given) in taken else None


def is_conversion(function: str) -> bool:
    """Whether it makes a value of another type."""
    return function in _CONVERSIONS


def has_order(left: Type, right: Type) -> bool:
    """Whether one of the two can be less than the other."""
    if (is_number(left) and is_number(right)) or (is_text(left) and is_text(right)):
        return True
    return left is right and left in _ORDERED


def calculated(sign: str, left: Type, right: Type) -> Type | None:
    """The type of what `+ - * / %` make; None where they do not fit."""
    if is_number(left) and left is right:
        return left if sign != "%" or left is Scalar.WHOLE else None
    if sign == "+":
        return _sum(left, right)
    if sign == "-" and left is right and left in _ORDERED:
        return Scalar.SPAN
    if sign == "-" and left is Scalar.MOMENT and right is Scalar.SPAN:
        return Scalar.MOMENT
    return None


def _sum(left: Type, right: Type) -> Type | None:
    if is_text(left) and is_text(right):
        return Scalar.TEXT
    if isinstance(left, ListOf) and isinstance(right, ListOf):
        both = common(left, right)
        return ListOf(both.item, left.at_most + right.at_most) if isinstance(both, ListOf) else None
    match left, right:
        case (Scalar.SPAN, Scalar.SPAN):
            return Scalar.SPAN
        case (Scalar.MOMENT, Scalar.SPAN) | (Scalar.SPAN, Scalar.MOMENT):
            return Scalar.MOMENT
    return None
