"""Figures out of the reports that test tools write. A report is a stranger's file: no document type, no entities."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from xml.parsers import expat

from tidegate.model.lease import TestReport

REPORT_BYTES = 64 * 1024 * 1024
"""A larger report is refused."""


class ReportUnreadable(Exception):
    """A report is not what it should be; the message says where and why."""


def parse_junit(data: bytes) -> TestReport:
    """Count the test cases of a JUnit report; one with a failure or an error counts as failed.

    The format is that of Ant's JUnit task as pytest, Maven, Gradle, Jest and others write it: `testcase` elements at
    any depth. Raises ReportUnreadable.
    """
    count = _JUnitCount()
    _parse(data, count.begin, count.end)
    if count.root not in ("testsuites", "testsuite"):
        raise ReportUnreadable(f"it is not a JUnit report: its outermost element is <{count.root}>")
    return TestReport(count.total, count.failed, count.skipped)


def parse_coverage(data: bytes) -> float:
    """The line coverage of a Cobertura report in percent. Raises ReportUnreadable."""
    found: list[str | None] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if not found:
            found.append(attributes.get("line-rate") if name == "coverage" else None)

    _parse(data, begin, lambda name: None)
    try:
        rate = float(found[0] or "")
    except ValueError:
        raise ReportUnreadable("it is not a Cobertura report: it has no <coverage line-rate=…>") from None
    if not math.isfinite(rate) or not 0 <= rate <= 1:
        raise ReportUnreadable(f"its line-rate {rate} does not lie between 0 and 1")
    return round(rate * 100, 4)


@dataclass(slots=True)
class _JUnitCount:
    root: str = ""
    total: int = 0
    failed: int = 0
    skipped: int = 0
    _is_in_case: bool = False
    _verdict: str = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        if name == "testcase":
            self._is_in_case, self._verdict = True, ""
        elif self._is_in_case and name in ("failure", "error"):
            self._verdict = "failed"
        elif self._is_in_case and name == "skipped":
            self._verdict = self._verdict or "skipped"

    def end(self, name: str) -> None:
        if name != "testcase":
            return
        self._is_in_case = False
        self.total += 1
        self.failed += self._verdict == "failed"
        self.skipped += self._verdict == "skipped"


def _parse(data: bytes, begin: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
    def refuse(*_: object) -> None:
        raise ReportUnreadable("it has a document type or entities of its own, which are refused")

    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: begin(_local(name), attributes)
    parser.EndElementHandler = lambda name: end(_local(name))
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ReportUnreadable(f"it is not XML: {error}") from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]
