"""A run in words: how it stands, what it waits for, and what ends the waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.cli.client import Document
from tidegate.cli.exit_code import ExitCode
from tidegate.model.quantity import format_duration

OPEN = ("running", "waiting")


def is_ended(run: Document) -> bool:
    """Whether nothing more happens by itself."""
    return run["status"] not in OPEN


def waits_for_person(run: Document) -> bool:
    """Whether somebody is asked to say or do something before it goes on."""
    return not is_ended(run) and any(act["command"] for act in run["next"])


def next_acts(run: Document) -> tuple[str, ...]:
    """The commands that end what the run waits for, each with what that is as a shell's comment."""
    return tuple(f"{act['command']}  # {act['text']}" for act in run["next"] if act["command"])


def exit_code_of(run: Document) -> ExitCode:
    """What a command that watched the run ends with."""
    if not is_ended(run):
        return ExitCode.REFUSED
    return ExitCode.DONE if run["status"] == "succeeded" else ExitCode.FAILED


def heading(run: Document) -> str:
    """`shop 1a2b3c4d Add discounts (Ada), run 01J…`."""
    subject = f" {run['subject']}" if run.get("subject") else ""
    author = f" ({run['author']})" if run.get("author") else ""
    return f"{run['service']} {label(run)}{subject}{author}, run {run['id']}"


def label(run: Document) -> str:
    """How people call a run's release: the commit's first eight digits."""
    return str(run["commit"])[:8]


def standing(run: Document) -> str:
    """`1a2b3c4d is rolled back after 3m 2s: …`."""
    took = span_of(run.get("created_at"), run.get("ended_at"))
    after = f" after {took}" if took else ""
    reasons = "; ".join(str(reason["text"]) for reason in run["because"])
    return f"{label(run)} {words(run['status'])}{after}" + (f": {reasons}" if reasons else "")


def event_line(event: Document) -> str:
    """`14:03:05 text`, in local time."""
    return f"{clock_time(str(event['at']))} {event['text']}"


def moment(text: str) -> datetime:
    """A time of the API, which is ISO 8601."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def clock_time(text: str) -> str:
    """The local time of day of a time of the API."""
    return moment(text).astimezone().strftime("%H:%M:%S")


def local_time(text: str | None) -> str:
    """Day and time, local, of a time of the API."""
    return moment(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def span_of(begin: str | None, end: str | None, now: datetime | None = None) -> str:
    """The time between two times of the API; until `now` where there is no end."""
    if not begin or not (end or now):
        return ""
    until = moment(end) if end else now
    assert until is not None
    return format_duration(max(timedelta(0), timedelta(seconds=round((until - moment(begin)).total_seconds()))))


def seconds_text(seconds: float | None) -> str:
    """A measured time, in words."""
    if seconds is None:
        return ""
    return f"{seconds:.3f} s" if seconds < 10 else format_duration(timedelta(seconds=round(seconds)))


def words(state: str) -> str:
    """A state as people write it."""
    return str(state).replace("_", " ")


def percent(share: object) -> str:
    """A share of the API (a fraction, or text) as a percentage."""
    return f"{share * 100:g}%" if isinstance(share, int | float) else str(share)
