"""How programs ended last, read from supervisord's log, the only place that keeps it across a restart."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_READ_BYTES = 128 * 1024
_ENDING = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) \S+ (?:exited|stopped): (?P<name>\S+) "
    r"\((?:exit status (?P<code>\d+)|terminated by (?P<signal>\w+))"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a program's process: its exit code, or the signal that ended it. `at` in seconds since 1970."""

    at: float
    exit_code: int | None
    signal: str | None

    def __str__(self) -> str:
        return f"ended with exit status {self.exit_code}" if self.signal is None else f"ended by {self.signal}"


def read_endings(log: Path) -> Mapping[str, Ending]:
    """The last ending of each program that the end of supervisord's log tells of."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return {}
    return parse_endings(text)


def parse_endings(text: str) -> Mapping[str, Ending]:
    """The last ending of each program in lines of supervisord's log (local times)."""
    endings = {}
    for match in _ENDING.finditer(text):
        at = datetime.strptime(match["at"], "%Y-%m-%d %H:%M:%S").timestamp() + int(match["ms"]) / 1000
        code = None if match["code"] is None else int(match["code"])
        endings[match["name"]] = Ending(at, code, match["signal"])
    return endings
