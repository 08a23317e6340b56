"""Times as people type them: a time from now, a day, a time of day in their place."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.config.time_values import did_you_mean_zone, typed_moment, zones

_ZONES = "zoneinfo/"


def local_zone() -> str:
    """The time zone of this machine, or of its TZ; UTC where that has no name."""
    named = os.environ.get("TZ", "").removeprefix(":")
    found = named or str(Path("/etc/localtime").resolve()).partition(_ZONES)[2]
    return found if found in zones() and not found.startswith("Etc/") else "UTC"


def read_moment(option: str, text: str, place: str, now: datetime, *, end: bool) -> datetime:
    """The moment that a text means in a place, in UTC; of a day its first one, or with `end` when it is over.

    Raises CommandFailed where it means none.
    """
    if place not in zones():
        remedy = did_you_mean_zone(place) or "write one like Europe/London"
        raise CommandFailed(ExitCode.USAGE, f"there is no time zone {place!r}", remedy)
    try:
        return typed_moment(text, place, now, end=end)
    except ValueError as error:
        remedy = 'write it like 4h, 2027-01-03 or "2027-01-03 17:00"'
        raise CommandFailed(ExitCode.USAGE, f"{option}: {error}", remedy) from None
