"""What a step made, after its end: artifacts are uploaded, reports are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, TypeVar

from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.outputs import matched
from tidegate.agent.reports import REPORT_BYTES, ReportUnreadable, parse_coverage, parse_junit
from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, TestReport
from tidegate.model.pipeline import Step

T = TypeVar("T")

_MOST_NAMED = 10
_MOST_REPORTS = 10_000


class NotMade(Exception):
    """The step succeeded but did not make what its definition says; the message names what was found."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The figures of a step's reports, None where it declares none."""

    tests: TestReport | None = None
    line_coverage: float | None = None


def collect_artifacts(
    step: Step, folder: ConfinedFolder, upload: Callable[[BinaryIO], tuple[Digest, int]]
) -> tuple[BuiltFile, ...]:
    """Upload the one file that each of the step's globs matches. Raises NotMade."""
    return tuple(_collect(step, name, folder, upload) for name in step.artifacts)


def read_reports(step: Step, folder: ConfinedFolder) -> Reports:
    """Read the reports that the step declares. Raises NotMade where one is missing or unreadable."""
    return Reports(
        tests=_read_tests(step.junit, folder),
        line_coverage=_read("coverage", step.coverage, folder, parse_coverage),
    )


def read_reports_of_failed(step: Step, folder: ConfinedFolder) -> Reports:
    """Read what there is of the reports of a step that failed: they say which tests did."""
    return Reports(
        tests=_if_there(lambda: _read_tests(step.junit, folder)),
        line_coverage=_if_there(lambda: _read("coverage", step.coverage, folder, parse_coverage)),
    )


def _collect(
    step: Step, name: str, folder: ConfinedFolder, upload: Callable[[BinaryIO], tuple[Digest, int]]
) -> BuiltFile:
    pattern = step.artifacts[name]
    what = f"artifact {name!r} ({pattern})"
    try:
        found = folder.matches(pattern)
        if len(found) != 1:
            raise NotMade(f"{what} has to match exactly one file; {_found_in_words(found)}")
        with folder.open(found[0]) as file:
            digest, size = upload(file)
        handed_on = found[0] in matched(folder, step.outputs)
    except Escape as error:
        raise NotMade(f"{what} was refused: {error}") from None
    except OSError as error:
        raise NotMade(f"{what} could not be read: {error}") from None
    return BuiltFile(name, PurePosixPath(found[0]).name, digest, size, handed_on)


def _found_in_words(found: Sequence[str]) -> str:
    if not found:
        return "it matched none. Does the step write it there, below the service's folder?"
    named = ", ".join(found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
    return f"it matched {len(found)}: {named}. Make the pattern narrower"


def _read_tests(pattern: str | None, folder: ConfinedFolder) -> TestReport | None:
    """The figures of all reports that a pattern matches: Maven and Gradle write one for each class."""
    if pattern is None:
        return None
    try:
        found = folder.matches(pattern)
    except Escape as error:
        raise NotMade(f"the JUnit report {pattern} cannot be used: {error}") from None
    if len(found) > _MOST_REPORTS:
        raise NotMade(f"the JUnit reports {pattern} are {len(found)} files, of which at most {_MOST_REPORTS} are read")
    read = (_read("JUnit", path, folder, parse_junit) for path in found or [pattern])
    return TestReport.together(one for one in read if one)


def _read(kind: str, path: str | None, folder: ConfinedFolder, parse: Callable[[bytes], T]) -> T | None:
    if path is None:
        return None
    try:
        with folder.open(path) as file:
            data = file.read(REPORT_BYTES + 1)
        if len(data) > REPORT_BYTES:
            raise ReportUnreadable(f"it has more than {REPORT_BYTES} bytes")
        return parse(data)
    except FileNotFoundError:
        raise NotMade(f"the {kind} report {path} was not written; the step declares it under `reports`") from None
    except (Escape, ReportUnreadable) as error:
        raise NotMade(f"the {kind} report {path} cannot be used: {error}") from None
    except OSError as error:
        raise NotMade(f"the {kind} report {path} could not be read: {error}") from None


def _if_there(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except NotMade:
        return None
