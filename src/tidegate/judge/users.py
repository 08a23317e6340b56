"""Whether anybody but Tidegate asked the service while it was judged."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.model.figures import Batch
from tidegate.model.pipeline import SyntheticTraffic

_UNDER_WAY = 8
"""Requests that were sent before a batch begins may end within it; the sender has no more of them under way."""


def only_synthetic(batches: Sequence[Batch], traffic: SyntheticTraffic | None) -> bool:
    """Whether there were requests, and no more of them than Tidegate sent itself."""
    if traffic is None:
        return False
    asked = sum(side.requests for batch in batches for side in (batch.canary, batch.baseline) if side)
    seconds = sum((batch.end - batch.begin).total_seconds() for batch in batches)
    return 0 < asked <= traffic.per_second * seconds + _UNDER_WAY
