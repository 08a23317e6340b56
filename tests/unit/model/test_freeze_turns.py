"""That freezes begin and end by time is told once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.event import EventKind
from tidegate.model.freeze import Freeze
from tidegate.model.freeze_turns import BegunFreeze, FreezeTurns, begun_freeze, turns_of
from tidegate.model.ids import EnvironmentName

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = Actor(ActorKind.PERSON, "ada")
SALE = Freeze("01f", EnvironmentName("production"), NOON, NOON + HOUR, "the sale", ADA, NOON - HOUR)
BEGUN = BegunFreeze("01f", NOON)


def test_before_it_begins_nothing_is_told() -> None:
    assert turns_of([SALE], [], NOON - HOUR) == FreezeTurns()


def test_its_beginning_is_told_once() -> None:
    turns = turns_of([SALE], [], NOON)
    assert (turns.begun, turns.over) == ((BEGUN,), ())
    (event,) = turns.events
    assert (event.kind, event.about) == (EventKind.FREEZE_BEGAN, {"environment": "production"})
    assert event.text == "production is frozen until Mon 2 Mar 2026 13:00 (UTC): the sale"
    assert event.data["freeze"] == "01f" and event.data["planned"] is False
    assert turns_of([SALE], [BEGUN], NOON + HOUR / 2) == FreezeTurns()


def test_its_end_is_told_once() -> None:
    turns = turns_of([SALE], [BEGUN], NOON + HOUR)
    assert (turns.begun, turns.over) == ((), (BEGUN,))
    assert [(one.kind, one.text) for one in turns.events] == [
        (EventKind.FREEZE_ENDED, "production is no longer frozen: the sale")
    ]
    assert turns_of([SALE], [], NOON + HOUR) == FreezeTurns()


def test_of_one_that_somebody_lifted_or_took_out_of_the_file_nothing_more_is_told() -> None:
    lifted = replace(SALE, lifted_at=NOON, lifted_by=ADA)
    for known in ([lifted], []):
        assert turns_of(known, [BEGUN], NOON + HOUR / 2) == FreezeTurns(over=(BEGUN,))


def test_a_place_in_the_file_that_says_other_times_now_is_another_freeze() -> None:
    other = replace(SALE, begins=NOON + HOUR / 2)
    turns = turns_of([other], [BEGUN], NOON + HOUR / 2)
    assert (turns.begun, turns.over) == ((begun_freeze(other),), (BEGUN,))
    assert [one.kind for one in turns.events] == [EventKind.FREEZE_BEGAN]


def test_a_clock_that_is_set_back_tells_nothing_again() -> None:
    assert turns_of([SALE], [BEGUN], NOON - HOUR) == FreezeTurns()
