"""The picture of a build that goes on, on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tidegate.builder.stop import Stop
from tidegate.builder.view import StepEnd
from tidegate.cli.build_lines import line_of, seconds_in_words
from tidegate.cli.output import printable

_MORE_LINES = 3
"""Of a terminal's height, for the line below the picture, the cursor, and the command that was typed."""


@dataclass(slots=True)
class _Running:
    since: float
    spinner: Spinner
    attempt: int
    last: str = ""


class LivePicture:
    """All steps in the order of the file where they fit, or else those that run. Callers take turns."""

    def __init__(self, console: Console, names: Sequence[str], stop: Stop) -> None:
        self._console = console
        self._names = names
        self._stop = stop
        self._width = max((len(printable(name)) for name in names), default=0)
        self._running: dict[str, _Running] = {}
        self._ended: dict[str, StepEnd] = {}
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8, transient=True)
        self._live.start()

    def began(self, name: str, attempt: int) -> None:
        """A step runs."""
        self._running[name] = _Running(time.monotonic(), Spinner("dots", style="cyan"), attempt)

    def wrote(self, name: str, line: str) -> None:
        """The last line of a step."""
        if name in self._running:
            self._running[name].last = line

    def ended(self, end: StepEnd) -> None:
        """A step has ended."""
        self._running.pop(end.name, None)
        self._ended[end.name] = end

    def close(self) -> None:
        """Take it away."""
        self._live.stop()

    def _render(self) -> RenderableType:
        running, ended = dict(self._running), dict(self._ended)
        names = [*(name for name in running if name not in self._names), *self._names]
        if len(names) + _MORE_LINES > self._console.height:
            names = list(running)[: max(1, self._console.height - _MORE_LINES)]
        table = Table.grid(padding=(0, 1))
        table.add_column()
        table.add_column(no_wrap=True)
        for name in names:
            table.add_row(*self._row(name, running, ended))
        count = sum(name in ended for name in self._names)
        words = f"{count} of {len(self._names)} steps, {len(running)} running"
        if self._stop.asked:
            words += "; ending them, Ctrl-C again ends them at once"
        return Group(table, Text(words, style="dim"))

    def _row(
        self, name: str, running: dict[str, _Running], ended: dict[str, StepEnd]
    ) -> tuple[RenderableType, RenderableType]:
        if name in ended:
            mark, (words, _), *more = line_of(ended[name], self._width)
            row = Text.assemble(words.removeprefix(" "), *more)
            row.overflow = "ellipsis"
            return Text(*mark), row
        padded = printable(name).ljust(self._width)
        if name not in running:
            return Text("·", style="dim"), Text(padded, style="dim")
        one = running[name]
        took = f"{seconds_in_words(time.monotonic() - one.since):<7}"
        again = f"attempt {one.attempt}  " if one.attempt > 1 else ""
        row = Text.assemble(padded, "  ", (took, "cyan"), "  ", again, (printable(one.last), "dim"))
        row.overflow = "ellipsis"
        return one.spinner, row
