"""How states, times and figures look on a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.agent import AgentState
from tidegate.model.quantity import format_duration
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.model.step_run import StepState
from tidegate.model.verdict import Verdict


class Tone(StrEnum):
    """How a state is coloured; the word beside it says the same."""

    GOOD = "good"
    BAD = "bad"
    BUSY = "busy"
    ASKS = "asks"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: how long ago, and exactly."""

    ago: str
    exact: str
    iso: str


_TONES: dict[StrEnum, Tone] = {
    RunStatus.RUNNING: Tone.BUSY,
    RunStatus.WAITING: Tone.ASKS,
    RunStatus.SUCCEEDED: Tone.GOOD,
    RunStatus.FAILED: Tone.BAD,
    RunStatus.ROLLED_BACK: Tone.BAD,
    RunStatus.REJECTED: Tone.BAD,
    StageState.GATE: Tone.ASKS,
    StageState.WORKING: Tone.BUSY,
    StageState.PASSED: Tone.GOOD,
    StepState.READY: Tone.BUSY,
    StepState.TIMED_OUT: Tone.BAD,
    StepState.LOST: Tone.BAD,
    RolloutState.MOVING: Tone.BUSY,
    RolloutState.JUDGING: Tone.BUSY,
    RolloutState.ASKING: Tone.ASKS,
    RolloutState.WATCHING: Tone.BUSY,
    RolloutState.RETURNING: Tone.BAD,
    RolloutState.HELD: Tone.BAD,
    AgentState.BUSY: Tone.BUSY,
    AgentState.IDLE: Tone.GOOD,
    AgentState.DRAINING: Tone.ASKS,
    AgentState.AWAY: Tone.BAD,
    Verdict.PASS: Tone.GOOD,
    Verdict.FAIL: Tone.BAD,
    Verdict.UNDECIDED: Tone.BUSY,
    Verdict.NO_DATA: Tone.ASKS,
}
_WORDS: dict[StrEnum, str] = {
    StepState.LEFT_OUT: "left out",
    StageState.GATE: "at its gate",
    StageState.PENDING: "not yet",
    RolloutState.ASKING: "asks people",
    RolloutState.WATCHING: "passed, watching",
    RolloutState.RETURNING: "going back",
    RolloutState.HELD: "nothing moved",
    StepState.TIMED_OUT: "timed out",
    Verdict.NO_DATA: "no data",
    Verdict.UNDECIDED: "not certain yet",
}
_HEALTH = {"healthy": Tone.GOOD, "degraded": Tone.ASKS, "empty": Tone.QUIET}


def badge(state: StrEnum) -> Badge:
    """A state as a badge."""
    return Badge(_WORDS.get(state, state.value.replace("_", " ")), _TONES.get(state, Tone.QUIET))


def health_badge(health: str) -> Badge:
    """A placement's health as a badge."""
    return Badge(health, _HEALTH.get(health, Tone.BAD))


def moment(at: datetime | None, now: datetime) -> Moment | None:
    """A time as a page shows it, None where there is none."""
    if at is None:
        return None
    return Moment(ago(at, now), f"{at:%Y-%m-%d %H:%M:%S} UTC", at.isoformat())


def ago(at: datetime, now: datetime) -> str:
    """`just now`, `3m ago`, `2h ago`: the largest unit."""
    passed = now - at
    if passed < timedelta(seconds=5):
        return "just now"
    return f"{format_duration(timedelta(seconds=round(passed.total_seconds()))).split(' ')[0]} ago"


def seconds_text(seconds: float) -> str:
    """A number of seconds as a duration."""
    return format_duration(timedelta(seconds=seconds))


def span(begin: datetime | None, end: datetime | None, now: datetime) -> str:
    """How long something took, or has taken until now; empty where it has not begun."""
    if begin is None:
        return ""
    took = (end or now) - begin
    return format_duration(took if took < timedelta(seconds=10) else timedelta(seconds=round(took.total_seconds())))


def percent(fraction: float) -> str:
    """`5%`, `0.12%`: up to three digits that mean something."""
    return f"{float(f'{100 * fraction:.3g}'):g}%"


def figure(value: float | None, unit: str) -> str:
    """A metric's value in its unit; a dash where there is none."""
    if value is None:
        return "–"
    rounded = f"{float(f'{value:.3g}'):g}"
    return f"{rounded}{unit}" if unit == "%" else f"{rounded} {unit}".strip()
