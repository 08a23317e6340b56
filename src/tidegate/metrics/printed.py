"""What a command prints, as figures: one JSON document, in the words of a judge's file.

`{"x": 12}` or `{"x": 12, "n": 340}` for a rate, `{"edges": [...], "counts": [...]}` for a histogram,
`{"values": [...]}` for values; `null` or `{"no_data": "why"}` where there is nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from itertools import pairwise
from typing import Any, NoReturn

from tidegate.model.metric import Counted, Figures, Measured, NoFigures, Spread
from tidegate.model.recording import MetricKind

MOST_NUMBERS = 2000
_LONGEST_WORDS = 200

_FORMS = {
    MetricKind.RATE: '{"x": 12} or {"x": 12, "n": 340}',
    MetricKind.HISTOGRAM: '{"edges": [10, 20], "counts": [5, 3, 1]}',
    MetricKind.VALUES: '{"values": [0.4]}',
}


def figures_in(output: bytes, kind: MetricKind) -> Figures | NoFigures:
    """The figures that a command printed. Raises ValueError: the message goes on after the command's name."""
    try:
        printed = json.loads(output, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(f"prints no JSON document; print {_FORMS[kind]}") from None
    if printed is None:
        return NoFigures("the command says that there is none")
    if not isinstance(printed, dict):
        raise ValueError(f"prints something else than {_FORMS[kind]}")
    if printed.keys() == {"no_data"}:
        return NoFigures(_one_line(printed["no_data"]))
    match kind:
        case MetricKind.RATE:
            return _counted(printed)
        case MetricKind.HISTOGRAM:
            return _spread(printed)
        case MetricKind.VALUES:
            _check_keys(printed, {"values"}, kind)
            values = _numbers(printed, "values")
            return Measured(values) if values else NoFigures("the command prints no value")


def _counted(printed: dict[str, Any]) -> Figures:
    _check_keys(printed, {"x"} if "n" not in printed else {"x", "n"}, MetricKind.RATE)
    (x,) = _numbers({"x": [printed["x"]]}, "x", least=0)
    n = _numbers({"n": [printed["n"]]}, "n", least=0)[0] if "n" in printed else None
    return Counted(x, n)


def _spread(printed: dict[str, Any]) -> Figures:
    _check_keys(printed, {"edges", "counts"}, MetricKind.HISTOGRAM)
    edges, counts = _numbers(printed, "edges"), _numbers(printed, "counts", least=0)
    if not edges or any(left >= right for left, right in pairwise(edges)):
        raise ValueError('prints "edges" that do not grow')
    if len(counts) != len(edges) + 1:
        raise ValueError(
            f'prints {len(counts)} "counts" for {len(edges)} "edges"; the last of one more is the overflow'
        )
    return Spread(edges, counts)


def _check_keys(printed: dict[str, Any], wanted: Collection[str], kind: MetricKind) -> None:
    if printed.keys() != set(wanted):
        keys = ", ".join(f'"{_one_line(key)}"' for key in list(printed)[:5]) or "nothing"
        raise ValueError(f"prints {keys} where a {kind} is {_FORMS[kind]}")


def _numbers(printed: dict[str, Any], key: str, least: float = -math.inf) -> tuple[float, ...]:
    found = printed[key]
    if not isinstance(found, list) or len(found) > MOST_NUMBERS:
        raise ValueError(f'prints "{key}" that is no list of at most {MOST_NUMBERS} numbers')
    numbers = []
    for one in found:
        try:
            number = float(one) if isinstance(one, int | float) and not isinstance(one, bool) else math.nan
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or number < least:
            below = "" if math.isinf(least) else f" of at least {least:g}"
            raise ValueError(f'prints "{key}" with {_one_line(json.dumps(one))}, which is no number{below}')
        numbers.append(number)
    return tuple(numbers)


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _one_line(text: object) -> str:
    words = text if isinstance(text, str) else "the command says that there is none"
    return "".join(char if char.isprintable() else " " for char in words[:_LONGEST_WORDS]).strip()
