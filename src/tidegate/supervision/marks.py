"""Marks in the environment of processes, by which what belongs to a data folder is found again."""

from __future__ import annotations

from pathlib import Path

RUN_FOLDER = "TIDEGATE_RUN_FOLDER"
"""Set for supervisord itself and, until it becomes the program's command, for the launcher: DIR/run."""

PROGRAM = "TIDEGATE_PROGRAM"
"""Set for every program: the data folder, a colon and the program's name. A marked process that is found when no
supervisord runs is an orphan."""

PART_OF = "TIDEGATE_PART_OF"
"""Set for every program to the data folder. Whoever starts processes that must outlive a restart of supervisord and
yet end with `tidegate down` (a step's command) gives them this mark and not PROGRAM."""


def program_mark(data: Path, name: str) -> str:
    """The value of PROGRAM for a program of a data folder."""
    return f"{data}:{name}"


def marked_program(data: Path, mark: str | None) -> str | None:
    """The name of the program that a value of PROGRAM means, None where it is not one of this data folder."""
    prefix = f"{data}:"
    return mark.removeprefix(prefix) if mark is not None and mark.startswith(prefix) else None
