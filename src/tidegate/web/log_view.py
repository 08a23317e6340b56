"""A line of a log as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tidegate.model.lease import LogLine
from tidegate.web.ansi import coloured

LOG_LINES = 2000
"""Of a log at a time; what is longer goes on at a link."""

_LINKED_LINES = 100
"""A link to a line leads to a page that begins with one of the so many lines before: however long those are, the line
is on that page."""


@dataclass(frozen=True, slots=True)
class LineView:
    """`number` counts from 1; `page` is the index of the first line of the page that holds it."""

    number: int
    page: int
    time: str
    text: Markup

    @classmethod
    def of(cls, index: int, line: LogLine) -> LineView:
        """The view of the line with that index."""
        return cls(index + 1, index // _LINKED_LINES * _LINKED_LINES, f"{line.at:%H:%M:%S}", coloured(line.text))
