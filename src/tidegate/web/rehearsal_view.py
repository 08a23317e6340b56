"""A service's rehearsals on its page: what was found, and how many users it would have hurt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.rehearsal import FaultOutcome, RecordedRehearsal
from tidegate.web.wording import Badge, Moment, Tone, moment


@dataclass(frozen=True, slots=True)
class FaultLine:
    """What became of a fault; `width` is the harmed requests as a whole number of percent of the most in the list."""

    fault: str
    state: Badge
    why: str
    seconds: str
    harmed: str
    width: int


@dataclass(frozen=True, slots=True)
class RehearsalLine:
    """A rehearsal in the list."""

    label: str
    environment: str
    began: Moment | None
    by: str
    quick: str
    faults: tuple[FaultLine, ...]


def rehearsal_lines(rehearsals: Sequence[RecordedRehearsal], now: datetime) -> tuple[RehearsalLine, ...]:
    """The rehearsals, the newest first."""
    most = max((each.harmed for one in rehearsals for each in one.rehearsal.outcomes), default=0)
    return tuple(_line(one, most, now) for one in rehearsals)


def _line(one: RecordedRehearsal, most: int, now: datetime) -> RehearsalLine:
    rehearsal = one.rehearsal
    return RehearsalLine(
        label=rehearsal.commit[:8],
        environment=rehearsal.environment,
        began=moment(rehearsal.began_at, now),
        by=f"by {one.by.name}",
        quick=f"times 1/{rehearsal.quick:g}" if rehearsal.quick != 1 else "",
        faults=tuple(_fault(each, most) for each in rehearsal.outcomes),
    )


def _fault(one: FaultOutcome, most: int) -> FaultLine:
    found = Badge("found", Tone.GOOD) if one.went_well else Badge("not found" if not one.found else "bad end", Tone.BAD)
    share = f", {one.harmed_share:.1%}" if one.harmed_share else ""
    return FaultLine(
        fault=one.fault.value,
        state=found,
        why=one.why if one.is_known else f"{one.why}; it ended on {one.end.in_words}",
        seconds="–" if one.seconds is None else f"{one.seconds:.3g} s",
        harmed=f"{one.harmed}{share}",
        width=round(100 * one.harmed / most) if most else 0,
    )
