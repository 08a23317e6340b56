"""Tests on pages: those that failed in a step, and those of a service that are flaky or in quarantine."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.known_test import KnownTest
from tidegate.model.step_run import StepRun
from tidegate.web.wording import Badge, Moment, Tone, moment

_NAMED = 20


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A test that failed in a step, and what is known of it."""

    test: str
    notes: tuple[Badge, ...]


@dataclass(frozen=True, slots=True)
class FailureList:
    """The tests that failed in a step; `more` counts those that are not named."""

    lines: tuple[FailureLine, ...]
    more: int


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test that is flaky or in quarantine; `command` is what may be done about it."""

    __test__ = False
    test: str
    step: str
    notes: tuple[Badge, ...]
    failed: str
    first: Moment | None
    last: Moment | None
    last_run: str | None
    quarantine: str
    command: str


def failure_list(step: StepRun, known: Iterable[KnownTest], now: datetime) -> FailureList:
    """The tests that failed in the present attempt of a step."""
    tests = step.report.tests if step.report else None
    if tests is None or step.cached_from:
        return FailureList((), 0)
    names = tuple(dict.fromkeys(tests.failures))[:_NAMED]
    notes = {one.test: tuple(_notes(one, now)) for one in known if one.is_of(step.scope, step.name)}
    lines = tuple(FailureLine(name, notes.get(name, ())) for name in names)
    return FailureList(lines, max(0, tests.failed - len(lines)))


def rows_of_tests(known: Iterable[KnownTest], now: datetime) -> tuple[TestRow, ...]:
    """The tests of a service."""
    return tuple(_row(one, now) for one in known)


def expired_in_words(one: KnownTest) -> str:
    """What is said of a quarantine that has expired."""
    assert one.quarantine is not None
    return f"{one.test} counts again since {one.quarantine.until:%Y-%m-%d %H:%M} UTC (owner {one.quarantine.owner})"


def _row(one: KnownTest, now: datetime) -> TestRow:
    history, held = one.history, one.quarantine
    named = f"{one.service} {shlex.quote(one.test)}"
    quarantine = f"tidegate tests quarantine {named} --owner NAME --until 14d"
    return TestRow(
        test=one.test,
        step=f"{history.id.scope}: {history.id.step}" if history else "",
        notes=tuple(_notes(one, now)),
        failed=f"{history.failed} of {history.total}" if history else "",
        first=moment(history.first_failed_at, now) if history else None,
        last=moment(history.last_failed_at, now) if history else None,
        last_run=history.last_run if history else None,
        quarantine=f"{held}" + (f": {held.reason}" if held.reason else "") if held else "",
        command=f"tidegate tests release {named}" if held and held.holds(now) else quarantine,
    )


def _notes(one: KnownTest, now: datetime) -> Iterator[Badge]:
    if one.is_flaky:
        yield Badge("flaky", Tone.ASKS)
    if one.quarantine:
        holds = one.quarantine.holds(now)
        yield Badge("in quarantine", Tone.BUSY) if holds else Badge("quarantine expired", Tone.BAD)
