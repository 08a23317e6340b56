"""Shares of requests held against limits, where nothing runs beside the new deployment."""

from __future__ import annotations

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.proportions import Rules
from tidegate.judge.two_proportions import Counts, Line

BOUND_LEVEL = 0.0005
"""How probable it may be that a share of before was worse than its bound says."""

BEFORE_RATIO = 1.5
"""How many times a bound of before must be exceeded to be seen: shares move by themselves in the course of a day."""

STEP_MARGIN, STEP_MARGIN_FLOOR, STEP_SLOWNESS_FLOOR = 1.5, 0.02, 0.05
"""What must be excluded before a step passes: half as many again, and 2 percentage points of errors; 5 of slow ones."""

MOST = 1 - 1e-6

_FLAT = 1e-12
"""The ratio of a line that depends on no baseline."""


def rules_at(limits: Floats, excluded: Floats) -> Rules:
    """That the limits are kept, whatever a baseline does, and which shares must be excluded to pass (R each)."""
    flat = np.full(len(limits), _FLAT)
    return Rules(Line(flat, limits), Line(flat, excluded))


def slow_excluded(limits: Floats) -> Floats:
    """The shares of slow requests that must be excluded where these are the limits."""
    result: Floats = np.minimum(limits * STEP_MARGIN + STEP_SLOWNESS_FLOOR, (1 + limits) / 2)
    return result


def alone(requests: Floats, hits: Floats) -> Counts:
    """A baseline that there is none of has as many requests as the canary, and no part in the bet."""
    return Counts(requests, hits, requests, np.zeros_like(hits))
