"""What is wrong in a file, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

LONGEST_MESSAGE = 400
"""Characters. Messages quote what a file says, and a file may say a lot."""

_MOST_WORDS = 1000
"""Words among which the nearest is looked for; comparing words is slow."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; the first character of the first line is 1:1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file. `hint` is what to do about it, None where the message says it all."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        remedy = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{remedy}"


class ConfigError(Exception):
    """A file that cannot be used. `problems` holds everything that is wrong with it, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(dict.fromkeys(problems), key=lambda one: (one.line, one.column, one.message))
        self.problems: tuple[Problem, ...] = tuple(ordered)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problem_at(file: str, position: Position, message: str, hint: str | None = None) -> Problem:
    """The problem at a position of a file, in one printable line of bounded length."""
    return Problem(file, position.line, position.column, _one_line(message), _one_line(hint) if hint else None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean "steps"?` for the known word that is nearest to `word`, None where none is near."""
    by_lower_case = {one.lower(): one for one in islice(known, _MOST_WORDS)}
    near = difflib.get_close_matches(word[:100].lower().replace("_", "-"), by_lower_case, n=1)
    near = near or difflib.get_close_matches(word[:100].lower().replace("-", "_"), by_lower_case, n=1)
    return f'did you mean "{by_lower_case[near[0]]}"?' if near else None


def quoted_list(words: Iterable[str]) -> str:
    """The words for a message: `"low", "standard", "high"`."""
    return ", ".join(f'"{word}"' for word in words)


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable if len(printable) <= LONGEST_MESSAGE else printable[: LONGEST_MESSAGE - 1] + "…"
