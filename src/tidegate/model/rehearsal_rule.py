"""Rehearsals that the server begins by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.model.recurrence import Recurrence
from tidegate.model.rehearsal import Fault


@dataclass(frozen=True, slots=True)
class RehearsalRule:
    """When a service is rehearsed by itself, and how.

    Times are divided by `quick` and rates multiplied. `per_second` is what users send, None for what the traffic log
    has; they ask for `paths`, where there are any. `stand_ins` are values that will do for the runtime's secrets.
    """

    when: Recurrence
    faults: tuple[Fault, ...] = tuple(Fault)
    quick: float = 1.0
    per_second: float | None = None
    paths: tuple[str, ...] = ()
    stand_ins: dict[str, str] = field(default_factory=dict)
