"""What is rewritten in a query of another tool: its arguments, its range, and which deployment it selects."""

from __future__ import annotations

import re
from datetime import timedelta

_STRING = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`'
_RANGE = re.compile(rf"{_STRING}|\[\s*(?P<range>[0-9][0-9a-z]*)\s*\]")
_BRACE = re.compile(rf"{_STRING}|(?P<name>[A-Za-z_:][\w:]*)?\s*(?P<brace>\{{)")
_LONGEST = 366 * 86_400.0
"""Seconds: longer than any verification."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}

DEPLOYMENT = '{deployment="$deployment"}'


def duration(text: str) -> timedelta | None:
    """A duration as Go and Prometheus write it: `90s`, `1m30s`, `1.5h`; None where it is none, or no time at all."""
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|[smhdwy]))+", text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", text)
    seconds = sum(float(count) * _UNITS[unit] for count, unit in parts)
    return timedelta(seconds=seconds) if 0 < seconds <= _LONGEST else None


def written(time: timedelta) -> str:
    """A duration as tidegate.yaml takes it."""
    seconds = round(time.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def ranges(query: str) -> set[str]:
    """The ranges of a query, as they are written: `5m`."""
    return {found["range"] for found in _RANGE.finditer(query) if found["range"]}


def with_window(query: str) -> str:
    """The query with `$window` for every range."""
    return _RANGE.sub(lambda found: "[$window]" if found["range"] else found[0], query)


def selects_deployment(query: str) -> bool:
    """Whether it says of which deployment it is."""
    return "$deployment" in query


def with_deployment(query: str) -> str:
    """The query with a matcher for the deployment in every selector that has braces; unchanged where none has."""

    def matcher(found: re.Match[str]) -> str:
        if not found["brace"]:
            return found[0]
        empty = re.match(r"\s*\}", query[found.end() :])
        return f'{found[0]}deployment="$deployment"{"" if empty else ","}'

    return _BRACE.sub(matcher, query)
