"""A service's drills on its page: how long each took, beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.drill import Drill, DrillState
from tidegate.web.wording import Badge, Moment, Tone, moment

_STATES = {
    DrillState.GOES_ON: Badge("goes on", Tone.BUSY),
    DrillState.PASSED: Badge("went well", Tone.GOOD),
    DrillState.FAILED: Badge("went wrong", Tone.BAD),
}


@dataclass(frozen=True, slots=True)
class DrillLine:
    """A drill in the list; `width` is its time as a whole number of percent of the longest."""

    run: str
    label: str
    environment: str
    state: Badge
    went_wrong: tuple[str, ...]
    seconds: str
    width: int
    whole: str
    began: Moment | None
    by: str


def drill_lines(drills: Sequence[Drill], now: datetime) -> tuple[DrillLine, ...]:
    """The drills, the newest first."""
    longest = max((one.seconds for one in drills if one.seconds), default=0.0)
    return tuple(_line(one, longest, now) for one in drills)


def _line(drill: Drill, longest: float, now: datetime) -> DrillLine:
    return DrillLine(
        run=drill.run,
        label=drill.commit[:8],
        environment=drill.environment,
        state=_STATES[drill.state],
        went_wrong=drill.went_wrong,
        seconds=_seconds(drill.seconds),
        width=round(100 * drill.seconds / longest) if drill.seconds and longest else 0,
        whole=_seconds(drill.whole_seconds),
        began=moment(drill.began_at, now),
        by=f"by {drill.by.name}",
    )


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.3g} s"
