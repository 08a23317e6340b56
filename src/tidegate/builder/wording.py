"""Times of builds in words."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate.builder.kept_result import Origin


def origin_in_words(origin: Origin) -> str:
    """`2 minutes ago, on 1a2b3c4d with changes that were not committed`."""
    words = ago_since(origin.at)
    if origin.commit is None:
        return words
    return f"{words}, on {origin.commit[:8]}" + (" with changes that were not committed" if origin.dirty else "")


def ago_since(at: datetime) -> str:
    """How long ago a moment was."""
    return ago((datetime.now(UTC) - at).total_seconds())


def ago(seconds: float) -> str:
    """`2 minutes ago`."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(seconds // size)
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
