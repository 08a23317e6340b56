"""What Prometheus answers to an instant query, as figures: https://prometheus.io/docs/prometheus/latest/querying/api/."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import NoFigures, Spread

MOST_SERIES = 1000
MOST_EDGES = 2000

_UNEVEN = 0.02
"""By so much of the whole may a bucket of a classic histogram be below the one before it: they are counted and
extrapolated one by one."""

_NOTHING = NoFigures("Prometheus has no such series")
_NOT_A_NUMBER = NoFigures("Prometheus answers NaN, as for nothing divided by nothing")


def one_number(data: Any) -> float | NoFigures:
    """The one number of an answer. Raises SourceFailed where it is something else, or infinite."""
    found = numbers(data)
    if isinstance(found, NoFigures):
        return found
    if len(found) > 1:
        raise SourceFailed(f"Prometheus answers {len(found)} series where one number is needed; sum them: sum(…)")
    return found[0]


def numbers(data: Any) -> tuple[float, ...] | NoFigures:
    """The numbers of all series; those that are NaN are left out. Raises SourceFailed."""
    if _get(data, "resultType") == "scalar":
        values = [_number(_second(_get(data, "result")))]
    else:
        values = [_number(_second(_get(one, "value"))) for one in _vector(data)]
    if not values:
        return _NOTHING
    if any(math.isinf(one) for one in values):
        raise SourceFailed("Prometheus answers an infinite number")
    known = tuple(one for one in values if not math.isnan(one))
    return known or _NOT_A_NUMBER


def distribution(data: Any) -> Spread | NoFigures:
    """The distribution that a native histogram is, or the buckets (`le`) of a classic one. Raises SourceFailed."""
    series = _vector(data)
    if not series:
        return _NOTHING
    native = [one for one in series if _get(one, "histogram") is not None]
    if not native:
        return _classic(series)
    if len(series) > 1:
        raise SourceFailed(f"Prometheus answers {len(series)} series where one histogram is needed; sum them: sum(…)")
    return _native(_second(_get(native[0], "histogram")))


def _classic(series: Sequence[Any]) -> Spread | NoFigures:
    cumulative: dict[float, float] = {}
    for one in series:
        edge = _get(_get(one, "metric"), "le")
        if edge is None:
            raise SourceFailed("Prometheus answers no histogram; keep the buckets: sum by (le) (…_bucket{…})")
        upper = _number(edge)
        if upper in cumulative:
            raise SourceFailed(f"Prometheus answers several buckets up to {edge}; sum them: sum by (le) (…)")
        cumulative[upper] = _number(_second(_get(one, "value")))
    if any(math.isnan(one) for one in cumulative.values()):
        return _NOT_A_NUMBER
    if math.inf not in cumulative:
        raise SourceFailed("Prometheus answers no bucket up to +Inf; a histogram has one")
    edges = sorted(cumulative)
    counts = _disjoint([cumulative[edge] for edge in edges])
    return Spread(tuple(edges[:-1]), counts)


def _disjoint(cumulative: Sequence[float]) -> tuple[float, ...]:
    whole = cumulative[-1]
    below, counts = 0.0, []
    for one in cumulative:
        if not math.isfinite(one) or one < 0 or one < below - max(1.0, _UNEVEN * whole):
            raise SourceFailed("Prometheus answers buckets that do not grow; a histogram's are cumulative")
        counts.append(max(0.0, one - below))
        below = max(below, one)
    return tuple(counts)


def _native(histogram: Any) -> Spread | NoFigures:
    """A bucket is `[which ends belong to it, lower, upper, count]`; those without a count are left out."""
    if math.isnan(_number(_get(histogram, "count"))):
        return _NOT_A_NUMBER
    buckets = [_bucket(one) for one in _get(histogram, "buckets") or ()]
    if len(buckets) > MOST_EDGES:
        raise SourceFailed(f"Prometheus answers a histogram of more than {MOST_EDGES} buckets")
    buckets.sort()
    if any(upper > lower + 1e-12 * abs(lower) for (_, upper, _), (lower, _, _) in pairwise(buckets)):
        raise SourceFailed("Prometheus answers a histogram whose buckets overlap")
    edges: list[float] = []
    counts: list[float] = []
    for lower, upper, count in buckets:
        if not edges or edges[-1] < lower:
            edges.append(lower)
            counts.append(0.0)
        edges.append(upper)
        counts.append(count)
    return Spread(tuple(edges), (*counts, 0.0))


def _bucket(found: Any) -> tuple[float, float, float]:
    if not isinstance(found, list) or len(found) != 4:
        raise _not_understood()
    lower, upper, count = (_number(one) for one in found[1:])
    if not (math.isfinite(lower) and math.isfinite(upper) and math.isfinite(count)) or lower >= upper or count < 0:
        raise SourceFailed("Prometheus answers a histogram with a bucket that is none")
    return lower, upper, count


def _vector(data: Any) -> list[Any]:
    kind, result = _get(data, "resultType"), _get(data, "result")
    if kind != "vector" or not isinstance(result, list):
        raise SourceFailed(f"Prometheus answers a {kind}; write a query whose answer is one moment's numbers")
    if len(result) > MOST_SERIES:
        raise SourceFailed(f"Prometheus answers more than {MOST_SERIES} series; sum them")
    return result


def _get(found: Any, key: str) -> Any:
    return found.get(key) if isinstance(found, dict) else None


def _second(pair: Any) -> Any:
    """A value stands beside its time."""
    if not isinstance(pair, list) or len(pair) != 2:
        raise _not_understood()
    return pair[1]


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise _not_understood() from None


def _not_understood() -> SourceFailed:
    return SourceFailed("what Prometheus answers cannot be understood")
