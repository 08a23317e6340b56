"""What a metric showed after every batch of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log2

from tidegate.judge.arrays import Flags, Floats

SAFE_LEVEL = 0.05
"""How probable it may be that a metric is called safe although the harm is as large as the margin."""

LEAST_TO_FAIL, LEAST_TO_PASS = 10, 750
"""Requests to the canary, however clear they are."""

START_HORIZON_SECONDS = 900.0
"""H of the weights of starts (see `mixture`)."""

LONGEST_BURST_SECONDS = 240.0
"""Dispersion is looked for up to this length."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long batches are, in batches of what matters."""

    horizon: float
    lengths: int

    @classmethod
    def of(cls, batch_seconds: float) -> Pace:
        """The pace of batches of this length."""
        lengths = ceil(log2(max(LONGEST_BURST_SECONDS / batch_seconds, 2.0))) + 1
        return cls(max(START_HORIZON_SECONDS / batch_seconds, 4.0), min(lengths, 9))


@dataclass(frozen=True, slots=True)
class Track:
    """What a metric showed after each of T batches.

    `known`: both sides have data in the batch. `log_evidence` of harm, and `log_suspicion`, that of harm which
    may be over soon as well (see `lasting`); `serious`: its effect passes the gate. `safe`:
    harm above the margin is excluded, and `to_go` how many batches that takes from the last one on if all goes on as it
    did. `canary` and `baseline` are the figures
    (shares, quantiles, medians), `ratio` how many times the baseline's the canary's is, `spread` the standard error of
    its logarithm, `requests` the canary's; NaN where unknown. `quantile` is which one the figures are of, NaN where of
    none, and `grows` marks a leak.
    """

    known: Flags
    log_evidence: Floats
    log_suspicion: Floats
    serious: Flags
    safe: Flags
    to_go: float
    canary: Floats
    baseline: Floats
    ratio: Floats
    spread: Floats
    requests: Floats
    quantile: Floats
    grows: Flags


def batches_to_pass(requests: Floats, known: Floats) -> float:
    """How many batches until there are requests enough to pass."""
    if not len(requests) or not requests[-1]:
        return inf
    return float((LEAST_TO_PASS / requests[-1] - 1) * known.sum())
