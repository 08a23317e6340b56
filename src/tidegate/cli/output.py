"""What a command says: one JSON document, tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


def printable(text: str) -> str:
    """The text in one line that cannot act on a terminal: somebody else's words may hold control characters."""
    return _CONTROL.sub(" ", _ESCAPE.sub("", text))


def coloured(text: str) -> str:
    """A line of a step's output with its colours, but nothing else that acts on a terminal."""
    parts = _COLOUR.split(text)
    return "".join(part if index % 2 else printable(part) for index, part in enumerate(parts))


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go. With `json`, standard output holds the document only, and words go to stderr."""

    json: bool = False

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at the output."""
        return not self.json and sys.stdout.isatty()

    @property
    def has_colours(self) -> bool:
        """Whether the output may have colours."""
        return self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def document(self, value: Any) -> None:
        """Print the JSON document, where one is wanted."""
        if self.json:
            print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)

    def document_line(self, value: Any) -> None:
        """Print one document of many, in one line, where JSON is wanted."""
        if self.json:
            print(json.dumps(value, ensure_ascii=False), flush=True)

    def say(self, text: str = "") -> None:
        """A line of the answer."""
        print(printable(text), file=sys.stderr if self.json else sys.stdout, flush=True)

    def next(self, remedy: str) -> None:
        """The command, or the sentence, that goes on from here."""
        self.say(f"next: {remedy}")

    def note(self, text: str) -> None:
        """Something beside the answer."""
        sys.stdout.flush()
        print(f"tidegate: {printable(text)}", file=sys.stderr, flush=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under headings; nothing is cut off in a pipe."""
        cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
        if self.json:
            return
        if self.is_terminal:
            self._rich_table(headings, cells)
            return
        widths = [max(len(row[index]) for row in [list(headings), *cells]) for index in range(len(headings))]
        for row in [[heading.upper() for heading in headings], *cells]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def console(self) -> Console:
        """Rich's console on standard output."""
        from rich.console import Console

        return Console(highlight=False, no_color=not self.has_colours or None)

    def _rich_table(self, headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
        self.console().print(table)


_STYLES = {
    "green": ("succeeded", "passed", "healthy", "ok", "open"),
    "yellow": ("waiting", "gate", "asking", "holds", "degraded", "warning"),
    "red": ("failed", "rolled_back", "rejected", "unhealthy", "stuck", "lost", "timed_out", "problem"),
    "cyan": ("running", "working", "moving", "judging", "watching", "returning", "starting"),
}


def style_of(word: str) -> str:
    """The colour of a state; none for other words."""
    return next((style for style, words in _STYLES.items() if word in words), "")
