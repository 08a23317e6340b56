"""Figures out of the reports that test tools write. A report is a stranger's file: no document type, no entities."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from tidegate.model.lease import MOST_FAILURES, TestReport

REPORT_BYTES = 64 * 1024 * 1024
"""A larger report is refused."""

LONGEST_NAME = 300
"""In characters; what a test's name has more is cut off."""


class ReportUnreadable(Exception):
    """A report is not what it should be; the message says where and why."""


def parse_junit(data: bytes, watched: Collection[str] = ()) -> TestReport:
    """Count the test cases of a JUnit report; one with a failure or an error counts as failed. Of the `watched` tests
    it says which passed.

    The format is that of Ant's JUnit task as pytest, Maven, Gradle, Jest and others write it: `testcase` elements at
    any depth. Raises ReportUnreadable.
    """
    count = _JUnitCount(frozenset(watched))
    _parse(data, count.begin, count.end)
    if count.root not in ("testsuites", "testsuite"):
        raise ReportUnreadable(f"it is not a JUnit report: its outermost element is <{count.root}>")
    passed = count.passed - set(count.failures)
    return TestReport(
        count.total,
        count.failed,
        count.skipped,
        tuple(count.failures[:MOST_FAILURES]),
        tuple(sorted(passed)),
        _digest(count.ran),
    )


def together(reports: Sequence[TestReport]) -> TestReport:
    """The figures of reports, of which there is one at least, as those of one, with the names of tests."""
    failures = tuple(test for report in reports for test in report.failures)
    passed = {test for report in reports for test in report.passed} - set(failures)
    figures = TestReport.together(reports)
    assert figures is not None  # there is at least one
    ran = _digest([report.ran for report in reports])
    return replace(figures, failures=failures[:MOST_FAILURES], passed=tuple(sorted(passed)), ran=ran)


def name_of_test(file: str, classname: str, name: str) -> str:
    """What a test is called: as pytest names it where the report tells the Python file, else `classname::name`."""
    module = file.removesuffix(".py").replace("/", ".")
    if file.endswith(".py") and not classname and name == module:
        named = file  # which cannot be imported
    elif file.endswith(".py") and f"{classname}.".startswith(f"{module}."):
        classes = classname.removeprefix(module).strip(".").split(".")
        named = "::".join((file, *filter(None, classes), name))
    else:
        named = "::".join(filter(None, (classname, name)))
    return "".join(one if one.isprintable() else " " for one in named).strip()[:LONGEST_NAME]


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
    watched: frozenset[str]
    root: str = ""
    total: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    ran: list[str] = field(default_factory=list)
    _name: str = ""
    _is_in_case: bool = False
    _verdict: str = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        if name == "testcase":
            self._is_in_case, self._verdict = True, ""
            self._name = name_of_test(*(attributes.get(part, "") for part in ("file", "classname", "name")))
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
        if self._verdict != "skipped":
            self.ran.append(self._name)
        if self._verdict == "failed" and self._name:
            self.failures.append(self._name)
        elif not self._verdict and self._name in self.watched:
            self.passed.add(self._name)


def _digest(names: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16] if names else ""


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
