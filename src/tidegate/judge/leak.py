"""Leaks: what grows batch by batch, from when a process has warmed up.

Beside a baseline, what both share is no growth; alone, the deployment's own earlier values are what it is held against.
"""

from __future__ import annotations

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.intervals import STAKES, log_stakes, ranks
from tidegate.judge.mixture import Evidence
from tidegate.judge.tracks import Pace

RECENT = 20
"""Batches of which figures are shown, and growth is the difference."""


def leak(excess: Floats, pace: Pace, first: int) -> tuple[Floats, Floats]:
    """After each batch the evidence (a logarithm) that `excess` grows from the batch `first` on, and by how much it has
    grown. `excess` is a logarithm, NaN where there is no data."""
    path = evidence_path(np.array([]), ranks(excess, first), pace)
    growth = np.zeros(len(excess))
    seen: list[float] = []
    for place in range(first, len(excess)):
        if not np.isnan(excess[place]):
            seen.append(float(excess[place]))
        if len(seen) >= 2 * RECENT:
            growth[place] = np.median(seen[-RECENT:]) - np.median(seen[:RECENT])
    return path, growth


def evidence_path(past: Floats, u: Floats, pace: Pace) -> Floats:
    """The logarithm of the evidence after each batch; `past` tells how much u wanders, and nothing else."""
    bets = log_stakes(np.concatenate([past, u]))[len(past) :]
    evidence = Evidence.none(1, np.full(len(STAKES), 1 / len(STAKES)), pace.horizon)
    path = np.zeros(len(u))
    for place, bet in enumerate(bets):
        evidence = evidence.after(bet[None, :], ~np.isnan(u[place : place + 1]))
        path[place] = evidence.log_total()[0]
    return path
