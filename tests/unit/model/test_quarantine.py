"""A step passes where all tests that failed are in quarantine, and in no other case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NOON, SHOP, UNHURRIED, a_step

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepOutcome, StepReport, TestReport
from tidegate.model.quarantine import TestQuarantine, with_quarantine

UNIT = a_step("unit")
MAKING = replace(UNIT, artifacts={"shop": "*.whl"}, outputs=("out",))
SHOP_FILE, OUT = (BuiltFile(name, name, Digest("sha256:0"), 1) for name in ("shop", "unit"))
SOON = NOON + timedelta(days=1)


def held(test: str, owner: str = "Ada", days: int = 1) -> TestQuarantine:
    until = NOON + timedelta(days=days)
    return TestQuarantine(SHOP, test, owner, until, "", Actor(ActorKind.PERSON, "Bob"), NOON)


def failed(*tests: str) -> StepReport:
    return StepReport(StepOutcome.FAILED, 1, "exit 1", NOON, NOON, tests=TestReport(9, len(tests), 0, tests))


def test_the_reason_names_how_many_whose_and_until_when() -> None:
    counts = with_quarantine(failed("a"), UNIT, [held("a"), held("z")], NOON)
    assert counts.outcome is StepOutcome.SUCCEEDED
    assert counts.detail == "passed: 1 failing test is in quarantine (owner Ada, until 2026-03-03 12:00 UTC)"
    counts = with_quarantine(failed("a", "b", "a"), UNIT, [held("a", "Eve", 2), held("b")], NOON)
    assert counts.detail == (
        "passed: 2 failing tests are in quarantine "
        "(owner Ada, until 2026-03-03 12:00 UTC; owner Eve, until 2026-03-04 12:00 UTC)"
    )


@pytest.mark.parametrize(
    "report",
    [
        replace(failed("a"), tests=None),
        replace(failed("a"), tests=TestReport(9, 0, 0)),
        replace(failed("a"), tests=TestReport(9, 2, 0, ("a",))),
        replace(failed("a"), exit_code=0),
        replace(failed("a"), exit_code=None),
        replace(failed("a"), exit_code=143),
        replace(failed("a"), ended_first=True),
        *(replace(failed("a"), outcome=one) for one in StepOutcome if one is not StepOutcome.FAILED),
    ],
)
def test_where_more_than_the_tests_may_be_wrong_a_report_stays_as_it_is(report: StepReport) -> None:
    assert with_quarantine(report, UNIT, [held("a")], NOON) == report


def test_what_the_step_makes_has_to_be_there() -> None:
    for report in (failed("a"), replace(failed("a"), artifacts=(SHOP_FILE,)), replace(failed("a"), outputs=OUT)):
        counts = with_quarantine(report, MAKING, [held("a")], NOON)
        assert counts.outcome is StepOutcome.FAILED
        assert counts.detail.endswith("but its outputs or artifacts are not there")
    whole = replace(failed("a"), artifacts=(SHOP_FILE,), outputs=OUT)
    assert with_quarantine(whole, MAKING, [held("a")], NOON).outcome is StepOutcome.SUCCEEDED


NAMES = st.lists(st.sampled_from("abcd"), unique=True)


@UNHURRIED
@given(failing=NAMES, in_quarantine=NAMES, expired=NAMES)
def test_it_passes_exactly_where_every_failing_test_is_in_a_quarantine_that_holds(
    failing: list[str], in_quarantine: list[str], expired: list[str]
) -> None:
    quarantines = [held(one, days=0 if one in expired else 1) for one in in_quarantine]
    counts = with_quarantine(failed(*failing), UNIT, quarantines, NOON)
    excused = bool(failing) and set(failing) <= set(in_quarantine) - set(expired)
    assert (counts.outcome is StepOutcome.SUCCEEDED) == excused


def test_a_quarantine_ends_at_its_moment() -> None:
    assert held("a").holds(SOON - timedelta(microseconds=1))
    assert not held("a").holds(SOON)
