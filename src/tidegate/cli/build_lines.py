"""The lines in which a build is told: one for each step, what to look at, and the sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tidegate.builder.build import state_of
from tidegate.builder.view import StepEnd
from tidegate.cli.output import printable
from tidegate.model.step_run import StepState

if TYPE_CHECKING:
    from tidegate.model.lease import StepReport

Part = tuple[str, str]
"""Words and their colour: `green`, `red`, `yellow`, `dim`, or empty."""

_SGR = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True)
class BuildEnd:
    """How a build ended: the steps in the order of the file, and how long all of it took."""

    steps: tuple[StepEnd, ...]
    seconds: float

    @property
    def state(self) -> StepState:
        """How the whole ended."""
        return state_of(self.steps)


def line_of(end: StepEnd, width: int) -> list[Part]:
    """`✓ unit tests  4.2 s    12 passed`."""
    mark, colour = _mark_of(end)
    name = printable(end.name).ljust(width)
    return [(mark, colour), (f" {name}  ", ""), (f"{_time_of(end):<7}", "dim"), (_detail(end), "")]


def remark_of(end: StepEnd) -> Iterator[list[Part]]:
    """Where the whole log of a step that failed is."""
    if end.log is not None and end.state in (StepState.FAILED, StepState.TIMED_OUT):
        yield [(f"the whole log of {printable(end.name)}: {printable(str(end.log))}", "dim")]


def summary_of(end: BuildEnd) -> list[Part]:
    """`4 steps, 1 cached, in 5.4 s`."""
    count = len(end.steps)
    words = [f"{count} step{'s' if count != 1 else ''}"]
    for state in (StepState.FAILED, StepState.TIMED_OUT, StepState.CANCELLED, StepState.SKIPPED, StepState.LEFT_OUT):
        of_state = sum(one.state is state for one in end.steps)
        if of_state:
            words.append(f"{of_state} {state.replace('_', ' ')}")
    cached = sum(one.cached for one in end.steps)
    if cached:
        words.append(f"{cached} cached")
    colour = "" if end.state is StepState.SUCCEEDED else "red"
    return [(f"{', '.join(words)}, in {seconds_in_words(end.seconds)}", colour)]


def seconds_in_words(seconds: float) -> str:
    """`4.2 s`, `1m 12s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    from tidegate.model.quantity import format_duration

    return format_duration(timedelta(seconds=round(seconds)))


def plain(parts: Sequence[Part]) -> str:
    """The words without colours."""
    return "".join(text for text, _ in parts).rstrip()


def painted(parts: Sequence[Part]) -> str:
    """The words with colours for a terminal."""
    return "".join(f"\x1b[{_SGR[colour]}m{text}\x1b[0m" if colour else text for text, colour in parts).rstrip()


def _mark_of(end: StepEnd) -> Part:
    match end.state:
        case StepState.SUCCEEDED:
            return "✓", "green"
        case StepState.FAILED | StepState.TIMED_OUT:
            return "✗", "yellow" if end.may_fail else "red"
        case _:
            return "-", "dim"


def _time_of(end: StepEnd) -> str:
    if end.cached:
        return "cached"
    if end.state in (StepState.SUCCEEDED, StepState.FAILED, StepState.TIMED_OUT):
        return seconds_in_words(end.seconds)
    return end.state.replace("_", " ")


def _detail(end: StepEnd) -> str:
    words = []
    if end.cached and end.origin is not None:
        from tidegate.builder.wording import ago_since

        words.append(f"from {ago_since(end.origin.at)}")
    if end.detail:
        words.append(printable(end.detail))
    if end.report is not None:
        words += _figures(end.report)
    if end.artifact_paths and not end.cached:
        words.append(printable(", ".join(end.artifact_paths)))
    if end.may_fail and not end.state.is_good:
        words.append("it may fail")
    return ("  " + ", ".join(words)) if words else ""


def _figures(report: StepReport) -> Iterator[str]:
    tests = report.tests
    if tests is not None:
        passed = tests.total - tests.failed - tests.skipped
        yield f"{tests.failed} of {tests.total} tests failed" if tests.failed else f"{passed} passed"
        if tests.skipped:
            yield f"{tests.skipped} skipped"
    if report.line_coverage is not None:
        yield f"{report.line_coverage:.1f}% of lines covered"
