"""The record of a program's starts, which supervisord itself does not count."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tidegate.supervision.run_folder import write_private

_KEPT = 20


@dataclass(frozen=True, slots=True)
class Starts:
    """How often a program was started since somebody asked for it, and its latest process.

    Times are seconds since 1970; `latest` holds the last 20, oldest first.
    """

    count: int
    first: float
    latest: tuple[float, ...]
    pid: int

    @classmethod
    def after(cls, earlier: Starts | None, pid: int, at: float) -> Starts:
        """The record with one more start."""
        if earlier is None:
            return cls(1, at, (at,), pid)
        return cls(earlier.count + 1, earlier.first, (*earlier.latest, at)[-_KEPT:], pid)


def read_starts(path: Path) -> Starts | None:
    """The record in a file, None where the program was not started yet."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Starts(**{**fields, "latest": tuple(fields["latest"])})


def write_starts(path: Path, starts: Starts) -> None:
    """Replace the record in a file."""
    write_private(path, json.dumps(asdict(starts)))
