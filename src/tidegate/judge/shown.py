"""What a metric of a live rollout shows, as a verdict and its words are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Shown:
    """A metric: the evidence of harm (a logarithm), whether its effect matters, and whether the step may pass.

    `canary` and `other` are its figures in `unit`, `requests` those of the new deployment. `seconds` is since when harm
    probably is done, None where none is seen. `limit` is the share that must be excluded, `seconds_to_go` how long that
    takes if all goes on like this, None where for ever. `is_asked_now` tells those that this step depends on, `beside`
    what the other figure is. `is_proven` says whether harm is excluded, where a step passes without that, too.
    `log_suspicion` is the evidence of harm that may be over soon as well, where that is more than `log_evidence`. While
    it `looks_worse` nothing passes, though that is far from certain.
    """

    name: str
    weight: float
    log_evidence: float
    serious: bool
    safe: bool
    is_asked_now: bool
    canary: float | None
    other: float | None
    unit: str
    requests: float
    beside: str
    other_requests: float | None = None
    seconds: float | None = None
    limit: float = 0.0
    seconds_to_go: float | None = None
    is_proven: bool = True
    log_suspicion: float = -inf
    looks_worse: bool = False
