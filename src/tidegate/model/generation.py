"""The number that orders the moves of a placement."""

from __future__ import annotations


class StaleGeneration(Exception):
    """A higher generation was here before: whoever calls is late and must change nothing."""
