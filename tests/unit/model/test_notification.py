"""What people are told of an event, once, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.channel import UNLESS_SAID, Channel, Topic
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.ids import EnvironmentName
from tidegate.model.notification import LONGEST_TEXT, asks_anew, notification_of, summary_of, topic_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADDRESS = "https://tidegate.example"
RUN = {"service": "shop", "run": "01r", "commit": "1a2b3c4d5e6f", "environment": "production", "stage": "production"}


def gate(state: str = "waiting", blocking: Iterable[str] = ("approvals",), stage: str = "production") -> Event:
    data = {
        "state": state,
        "because": ["upstream: every stage before passed", "approvals: 0 of 1 approvals", "hold: ada holds it"],
        "blocking": list(blocking),
    }
    return Event(EventKind.GATE_DECIDED, "the gate …", {**RUN, "stage": stage}, data=data)


def said(event: Event, *, late: timedelta = timedelta(0)) -> str:
    topic = topic_of(event)
    assert topic is not None
    told = notification_of(RecordedEvent(7, NOW - late, event, "", ""), topic, ADDRESS, NOW)
    return f"{told.title}\n{told.body}"


ASKS, ASKS_AND_HELD, ENOUGH, OPEN = (
    gate(),
    gate(blocking=["hold", "approvals"]),
    gate(blocking=["hold"]),
    gate("open", ()),
)
CLOSED = gate("closed", ["rejection", "approvals"])
RETRIED = Event(EventKind.RUN_RETRIED, "ada tries it again", {"service": "shop", "run": "01r"})


@pytest.mark.parametrize(
    ("now", "earlier", "anew"),
    [
        (ASKS, [], True),
        (ASKS, [ASKS], False),
        (ASKS_AND_HELD, [ASKS, ASKS], False),
        (ASKS, [gate(stage="staging")], True),
        (ASKS, [ASKS, gate("open", (), stage="staging")], False),
        (ASKS, [ASKS, ENOUGH], True),  # a yes was withdrawn, or has expired
        (ASKS, [ASKS, OPEN, RETRIED], True),
        (ASKS, [ASKS, RETRIED], True),
        (ASKS, [ASKS, CLOSED], True),
        (ASKS, [ASKS, RETRIED, ASKS], False),
        (ENOUGH, [ASKS], False),
        (OPEN, [], False),
        (CLOSED, [], False),
    ],
)
def test_people_are_asked_once_for_each_time_that_their_word_is_wanted(
    now: Event, earlier: list[Event], anew: bool
) -> None:
    assert asks_anew(now, earlier) is anew


@given(st.lists(st.sampled_from([ASKS, ASKS_AND_HELD, ENOUGH, OPEN, CLOSED, RETRIED])))
def test_between_two_times_of_asking_their_word_was_not_wanted(story: list[Event]) -> None:
    asked = [index for index, one in enumerate(story) if asks_anew(one, story[:index])]
    for first, second in pairwise(asked):
        assert any(one not in (ASKS, ASKS_AND_HELD) for one in story[first + 1 : second])
    waits = next((index for index, one in enumerate(story) if one in (ASKS, ASKS_AND_HELD)), None)
    assert asked[:1] == ([] if waits is None else [waits])


def about(kind: EventKind, text: str, **data: object) -> Event:
    return Event(kind, text, RUN, data=data)


GLASS = Event(
    EventKind.GLASS_BROKEN, "ada breaks the glass for 1a2b at production: fire", {**RUN, "break_glass": "01g"}
)


@pytest.mark.parametrize(
    ("event", "topic", "says"),
    [
        (
            ASKS_AND_HELD,
            Topic.APPROVAL,
            "shop (production): an approval is asked for\n"
            "shop 1a2b3c4d asks for approval to production: 0 of 1 approvals; ada holds it.\n"
            "Look at what it brings, and say yes or no: tidegate approve 01r, or tidegate reject 01r\n"
            "https://tidegate.example/runs/01r",
        ),
        (
            about(EventKind.ROLLOUT_HOLDS, "waits for 2 approvals", approvals=2),
            Topic.APPROVAL,
            "asks for 2 approvals in production before its next share",
        ),
        (
            about(EventKind.ROLLOUT_HOLDS, "holds: no data; to go on: tidegate promote 01r"),
            Topic.HOLD,
            "shop in production holds: no data",
        ),
        (
            about(EventKind.ROLLBACK_DECIDED, "back to 9f8e7d6c: verification failed: errors", for_cause=True),
            Topic.ROLLBACK,
            "shop in production goes back to 9f8e7d6c: verification failed: errors.\nLook: tidegate watch 01r",
        ),
        (GLASS, Topic.BREAK_GLASS, "A review by somebody else is owed: tidegate review 01g --comment TEXT"),
        (
            about(EventKind.PLACEMENT_STUCK, "stuck: away; it is tried again"),
            Topic.STUCK,
            "shop in production is stuck",
        ),
        (about(EventKind.RUN_ENDED, "1a2b3c4d failed: build", status="failed"), Topic.RUN_FAILED, "tidegate retry 01r"),
        (about(EventKind.RUN_ENDED, "1a2b3c4d succeeded", status="succeeded"), Topic.RUN_SUCCEEDED, "succeeded"),
        (about(EventKind.RUN_ENDED, "1a2b3c4d superseded", status="superseded"), None, ""),
        (about(EventKind.LINE_STOPPED, "2 rollbacks"), Topic.LINE_STOPPED, "tidegate service resume shop"),
        (
            Event(EventKind.SERVICE_TROUBLE, "no such branch", {"service": "shop"}, data={"lasts": True}),
            Topic.TROUBLE,
            "https://tidegate.example/services/shop",
        ),
        (
            Event(EventKind.SERVICE_TROUBLE, "it can be read again", {"service": "shop"}, data={"lasts": False}),
            None,
            "",
        ),
        (about(EventKind.STEP_BEGAN, "build: tests begins"), None, ""),
        (OPEN, None, ""),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Event) else None,
)
def test_an_event_is_told_in_words_that_say_what_to_do_next(event: Event, topic: Topic | None, says: str) -> None:
    assert topic_of(event) is topic
    if topic:
        assert says in said(event)


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_is_told_or_left_out(kind: EventKind) -> None:
    """Whatever its data: events of earlier versions have less of it."""
    event = Event(kind, "text", {})
    topic = topic_of(event)
    if topic:
        assert ADDRESS in said(event)


def test_a_message_that_comes_late_says_when_it_happened() -> None:
    assert "\nAt 11:00 UTC: shop: ada breaks" in said(GLASS, late=timedelta(hours=1))
    assert "UTC" not in said(GLASS, late=timedelta(seconds=30))


def test_a_long_text_is_cut_and_the_next_step_and_the_link_stay() -> None:
    told = said(about(EventKind.RUN_ENDED, "x" * 9000, status="failed"))
    assert len(told) < LONGEST_TEXT + 300
    assert told.endswith("tidegate retry 01r\nhttps://tidegate.example/runs/01r")


def test_what_nobody_took_for_a_day_is_summed_up() -> None:
    told = summary_of({Topic.APPROVAL: 3, Topic.ROLLBACK: 1}, NOW - timedelta(days=3), NOW, ADDRESS)
    assert told.title == "4 messages were not sent"
    assert "from 2026-02-27 12:00 to 2026-03-02 12:00 UTC: 3× an approval is asked for, 1× rolled back." in told.text


@pytest.mark.parametrize(
    ("channel", "topic", "service", "environment", "told"),
    [
        (Channel("all", "f"), Topic.ROLLBACK, "shop", "production", True),
        (Channel("all", "f"), Topic.TROUBLE, "shop", None, True),
        (Channel("all", "f"), Topic.RUN_SUCCEEDED, "shop", "production", False),
        (Channel("c", "f", frozenset({Topic.RUN_SUCCEEDED})), Topic.RUN_SUCCEEDED, "shop", None, True),
        (Channel("c", "f", frozenset({Topic.STUCK})), Topic.ROLLBACK, "shop", "production", False),
        (Channel("c", "f", services=("billing-*", "shop")), Topic.ROLLBACK, "shop", None, True),
        (Channel("c", "f", services=("billing-*",)), Topic.ROLLBACK, "billing-eu", None, True),
        (Channel("c", "f", services=("billing-*",)), Topic.ROLLBACK, "shop", None, False),
        (Channel("c", "f", environments=(EnvironmentName("production"),)), Topic.STUCK, "shop", "production", True),
        (Channel("c", "f", environments=(EnvironmentName("production"),)), Topic.STUCK, "shop", "staging", False),
        (Channel("c", "f", environments=(EnvironmentName("production"),)), Topic.TROUBLE, "shop", None, False),
    ],
)
def test_a_channel_is_told_what_it_asks_for(
    channel: Channel, topic: Topic, service: str, environment: str | None, told: bool
) -> None:
    assert channel.wants(topic, service, environment) is told


def test_without_a_word_a_channel_is_told_all_that_wants_somebody() -> None:
    assert frozenset(Topic) - UNLESS_SAID == {Topic.RUN_SUCCEEDED}
