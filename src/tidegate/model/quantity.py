"""Durations, rates and sizes as people write them: the one place that knows how they look."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from tidegate.model.share import Share

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def parse_duration(text: str) -> timedelta:
    """`500ms`, `30s`, `10m`, `2h`, `3d`, or several in a row (`1h30m`).

    Raises ValueError with the remedy in its message.
    """
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text):
        raise ValueError(f"{text!r} is not a duration; write one like 30s, 10m, 2h or 3d")
    pairs = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in pairs))


def format_duration(span: timedelta) -> str:
    """The span in the two largest units that it has: `1h 30m`, `12s`, `0.25s`, `0.05ms`."""
    seconds = span.total_seconds()
    if seconds < 0:
        return "-" + format_duration(-span)
    if 0 < seconds < 0.001:
        return f"{seconds * 1000:.2g}ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.2g}s"
    whole = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def parse_percentage(text: str) -> float:
    """`5%`, `99.95%` as a fraction (0.05, 0.9995). Raises ValueError with the remedy in its message."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not match:
        raise ValueError(f"{text!r} is not a percentage; write one like 5%")
    return float(Decimal(match[1]) / 100)


def parse_share(text: str) -> Share:
    """`5%`, `0.5%`. Raises ValueError with the remedy in its message."""
    return Share.percent(parse_percentage(text) * 100)


def parse_rate(text: str) -> float:
    """`5/s`, `300/m` as events per second. Raises ValueError with the remedy in its message."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h)", text)
    if not match:
        raise ValueError(f"{text!r} is not a rate; write one like 5/s or 300/m")
    return float(match[1]) / _SECONDS[match[2]]


def format_rate(per_second: float) -> str:
    """The rate in the unit in which it is no tiny number: `120 requests/s`, `90 requests/min`."""
    number, unit = (per_second, "s") if per_second >= 10 else (per_second * 60, "min")
    return f"{number:.3g} requests/{unit}" if number < 100 else f"{number:,.0f} requests/{unit}"


def parse_size(text: str) -> int:
    """`64MiB` as bytes. Raises ValueError with the remedy in its message."""
    match = re.fullmatch(r"(\d+)(B|KiB|MiB|GiB)", text)
    if not match:
        raise ValueError(f"{text!r} is not a size; write one like 64MiB")
    return int(match[1]) * _BYTES[match[2]]
