"""A build as it is shown: a live picture on a terminal, plain lines in a pipe, the same lines at the end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tidegate.builder.stop import Stop
from tidegate.builder.view import SETUP, StepEnd, View
from tidegate.cli.build_lines import BuildEnd, Part, line_of, painted, plain, remark_of, summary_of
from tidegate.cli.output import Output, coloured, printable
from tidegate.model.pipeline import Step
from tidegate.model.step_run import StepState

if TYPE_CHECKING:
    from tidegate.cli.build_live import LivePicture

_LOG_LINES = 20


class BuildView(View, Protocol):
    """A view that says how the whole ended."""

    def close(self, end: BuildEnd) -> None:
        """The build has ended."""


@contextmanager
def shown(output: Output, steps: Sequence[Step], stop: Stop) -> Iterator[BuildView]:
    """The view for whoever looks at the output."""
    width = max((len(printable(step.name)) for step in steps), default=0)
    if not output.is_terminal:
        yield _Lines(output, width)
        return
    view = _Terminal(output, width, [step.name for step in steps], stop)
    try:
        yield view
    finally:
        view.end_picture()


class _Lines:
    """Each line that a step writes, with the step's name before it, and a line for each step that ends."""

    def __init__(self, output: Output, width: int) -> None:
        self._output = output
        self._width = width
        self._lock = threading.Lock()

    def began(self, name: str, attempt: int) -> None:
        """Nothing: another attempt is a line of the step's log."""

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        mark = printable(name)
        self._print([f"{mark} | {printable(line)}" for line in lines])

    def ended(self, end: StepEnd) -> None:
        self._print([plain(line_of(end, self._width))])

    def note(self, text: str) -> None:
        with self._lock:
            self._output.note(text)

    def close(self, end: BuildEnd) -> None:
        self._print([*(plain(line) for one in end.steps for line in remark_of(one)), plain(summary_of(end))])

    def _print(self, lines: Sequence[str]) -> None:
        with self._lock:
            print("\n".join(lines), file=sys.stderr if self._output.json else sys.stdout, flush=True)


class _Terminal:
    """A picture of the running steps, drawn from the first that really runs; all steps in their order at the end."""

    def __init__(self, output: Output, width: int, names: Sequence[str], stop: Stop) -> None:
        self._output = output
        self._width = width
        self._names = names
        self._stop = stop
        self._lock = threading.Lock()
        self._setup: StepEnd | None = None
        self._notes: list[str] = []
        self._picture: LivePicture | None = None
        self._early: list[StepEnd] = []

    def began(self, name: str, attempt: int) -> None:
        from tidegate.cli.build_live import LivePicture

        with self._lock:
            if self._picture is None:
                self._picture = LivePicture(self._output.console(), self._names, self._stop)
                for end in self._early:
                    self._picture.ended(end)
            self._picture.began(name, attempt)

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        with self._lock:
            if self._picture is not None:
                self._picture.wrote(name, lines[-1])

    def ended(self, end: StepEnd) -> None:
        with self._lock:
            if end.name == SETUP and SETUP not in self._names:
                self._setup = end
            if self._picture is not None:
                self._picture.ended(end)
            else:
                self._early.append(end)

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)

    def end_picture(self) -> None:
        """Take the picture away."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None

    def close(self, end: BuildEnd) -> None:
        self.end_picture()
        for note in self._notes:
            self._output.note(note)
        ends = (*((self._setup,) if self._setup else ()), *end.steps)
        lines = [line_of(one, self._width) for one in ends]
        for one in ends:
            lines += [*self._log_end(one), *remark_of(one)]
        lines.append(summary_of(end))
        paint = painted if self._output.has_colours else plain
        print("\n".join(map(paint, lines)), flush=True)

    def _log_end(self, end: StepEnd) -> list[list[Part]]:
        if end.log is None or end.state in (StepState.SUCCEEDED, StepState.CANCELLED):
            return []
        from tidegate.builder.step_log import end_of

        show = coloured if self._output.has_colours else printable
        lines = [show(line) + ("\x1b[0m" if self._output.has_colours else "") for line in end_of(end.log, _LOG_LINES)]
        return [[], [(f"── the end of the log of {printable(end.name)} ──", "red")], *([(line, "")] for line in lines)]
