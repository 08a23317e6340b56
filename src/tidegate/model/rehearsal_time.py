"""How long a rehearsal may take."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.pipeline import Pipeline
from tidegate.model.rehearsal_rule import RehearsalRule

BUILD = timedelta(minutes=10)
"""So much longer than its verification a release may take."""

_BACK = timedelta(minutes=5)
"""So much longer one that is not over in time may take until it is taken back, and all is stopped."""

LONG = timedelta(hours=12)
"""Where rollouts come by day, one that may take longer than that is seldom played to its end."""


def of_one_release(pipeline: Pipeline, quick: float) -> timedelta:
    """How long one release may take; then it is taken back by hand."""
    of_stages = (one.verify.at_most + one.verify.soak + one.verify.watch for one in pipeline.stages if one.verify)
    return sum(of_stages, timedelta(0)) / quick + BUILD


def in_all(pipeline: Pipeline, rule: RehearsalRule) -> timedelta:
    """How long all of a rehearsal may take: the release without a fault, and one a fault."""
    return (of_one_release(pipeline, rule.quick) + _BACK) * (1 + len(rule.faults))
