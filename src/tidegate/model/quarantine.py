"""Tests in quarantine: while somebody owns the repair, and until a day, their failing fails no step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.model.actor import Actor
from tidegate.model.ids import ServiceName
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import Step

LONGEST = timedelta(days=90)
"""A quarantine that could be forgotten would hide a defect for ever."""


@dataclass(frozen=True, slots=True)
class TestQuarantine:
    """A test of a service, in whichever of its steps, whose failing counts for nothing before `until`."""

    __test__ = False
    service: ServiceName
    test: str
    owner: str
    """Who sees to it that the test is repaired."""

    until: datetime
    reason: str
    by: Actor
    at: datetime
    expiry_told: bool = False
    """Whether its expiry is in the record."""

    def holds(self, now: datetime) -> bool:
        """Whether it still has an effect."""
        return now < self.until

    def __str__(self) -> str:
        """Owner and end, as in the middle of a sentence."""
        return f"owner {self.owner}, until {self.until:%Y-%m-%d %H:%M} UTC"


def with_quarantine(
    report: StepReport, step: Step, quarantines: Collection[TestQuarantine], now: datetime
) -> StepReport:
    """The report as it counts: a step that failed passes where all tests that failed are in quarantine.

    It stays failed where more than the tests can be wrong: nothing in its report says which failed, its command did
    not end by itself, `run` was not run, or what it should make is not there.
    """
    holding = {one.test: one for one in quarantines if one.holds(now)}
    tests = report.tests
    if report.outcome is not StepOutcome.FAILED or report.ended_first or not _ended_by_itself(report):
        return report
    if tests is None or not tests.failed_only(holding):
        return report
    excused = [holding[test] for test in dict.fromkeys(tests.failures)]
    if not _has_all(step, report):
        detail = f"{report.detail}; {_words(excused)}, but its outputs or artifacts are not there"
        return replace(report, detail=detail)
    return replace(report, outcome=StepOutcome.SUCCEEDED, detail=f"passed: {_words(excused)}")


def _ended_by_itself(report: StepReport) -> bool:
    """Whether its command ended with a status of its own; that of one which was ended by a signal is 128 or more."""
    return report.exit_code is not None and 0 < report.exit_code < 128


def _has_all(step: Step, report: StepReport) -> bool:
    """Whether the agent brought what the step makes: it does so only where it knows of the quarantine as well."""
    made = {one.name for one in report.artifacts}
    return made >= set(step.artifacts) and (report.outputs is not None or not step.outputs)


def _words(excused: Sequence[TestQuarantine]) -> str:
    """`2 failing tests are in quarantine (owner Ada, until …)`."""
    owners = tuple(dict.fromkeys(str(one) for one in sorted(excused, key=lambda one: one.until)))
    many = len(excused) > 1
    return f"{len(excused)} failing test{'s are' if many else ' is'} in quarantine ({'; '.join(owners)})"
