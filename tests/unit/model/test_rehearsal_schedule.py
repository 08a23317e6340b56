"""What the record tells of a service's rehearsals: when the last one that counts began, and whether one goes on."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.unit.model.builders import ANNA, HOUR, MINUTE, NOON

from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.rehearsal_schedule import AGAIN, FAILED, SCHEDULED, Known, known_of

BEGAN, PLAYED, ENDED = EventKind.REHEARSAL_BEGAN, EventKind.REHEARSED, EventKind.REHEARSAL_ENDED
Line = tuple[EventKind, datetime, Actor, dict[str, object]]


def began(hours_ago: int) -> Line:
    return BEGAN, NOON - hours_ago * HOUR, SCHEDULED, {}


def played(hours_ago: int, by: Actor = SCHEDULED, took: int = 1) -> Line:
    at = NOON - hours_ago * HOUR
    return PLAYED, at, by, {"began_at": (at - took * HOUR).isoformat()}


def ended(hours_ago: int, **how: bool) -> Line:
    return ENDED, NOON - hours_ago * HOUR, SCHEDULED, {AGAIN: False, FAILED: False, **how}


def known(*oldest_first: Line) -> Known:
    lines = [
        RecordedEvent(number, at, Event(kind, "", {}, actor, data), "", "")
        for number, (kind, at, actor, data) in enumerate(oldest_first, 1)
    ]
    return known_of(reversed(lines))


@pytest.mark.parametrize(
    ("lines", "last", "goes_on"),
    [
        ((), None, False),
        ((began(9),), 9, True),
        ((began(9), played(8)), 9, False),
        ((began(9), ended(8)), 9, False),
        ((began(9), ended(8, failed=True)), 9, False),
        ((began(20), played(19), began(9), ended(8, again=True)), 20, False),
        ((began(9), ended(8, again=True)), None, False),
        ((began(9), ended(8, again=True), began(7)), 7, True),
        ((began(9), ended(8, again=True), began(7), ended(6, again=True)), None, False),
        ((played(9, ANNA),), 10, False),
        ((began(9), played(8, ANNA, took=3)), 9, True),
        ((began(20), played(19), played(8, ANNA)), 9, False),
        ((began(20), ended(19, again=True), played(8, ANNA)), 9, False),
    ],
)
def test_what_the_record_tells(lines: tuple[Line, ...], last: int | None, goes_on: bool) -> None:
    found = known(*lines)
    assert found.last_at == (None if last is None else NOON - last * HOUR)
    assert (found.since is not None, found.line is not None) == (goes_on, goes_on)


def test_one_that_says_to_have_begun_after_it_was_recorded_puts_nothing_off() -> None:
    at = NOON - HOUR
    told: Line = (PLAYED, at, ANNA, {"began_at": (NOON + 900 * HOUR).isoformat()})
    assert known(told).last_at == at
    assert known((PLAYED, at, ANNA, {"began_at": (at - MINUTE).isoformat()})).last_at == at - MINUTE
