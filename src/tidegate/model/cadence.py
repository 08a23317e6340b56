"""Cadence: when a service's releases go on to users. Every change is built and goes to where no users are at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.schedule import Schedule


class CadenceKind(StrEnum):
    """When releases go on."""

    CONTINUOUS = "continuous"
    ON_DEMAND = "on-demand"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Cadence:
    """`schedule` says when, where it is scheduled."""

    kind: CadenceKind = CadenceKind.CONTINUOUS
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Releases are collected for `within`, or until there are `at_most` of them; then the newest of them goes on."""

    within: timedelta
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """How many releases came to a gate since one went through, and when the first of them came."""

    releases: int = 0
    since: datetime | None = None
