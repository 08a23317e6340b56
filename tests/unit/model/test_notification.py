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
from tidegate.model.notification import (
    LONGEST_TEXT,
    asks_anew,
    is_told_otherwise,
    notification_of,
    services_of,
    summary_of,
    topic_of,
)

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


def freeze(kind: EventKind, text: str, *, service: str | None = None, planned: bool = False) -> Event:
    told = {"environment": "production"} | ({"service": service} if service else {})
    return Event(kind, text, told, data={"planned": planned})


def train(kind: EventKind, text: str, state: str = "moving") -> Event:
    told = {"train": "payments", "passage": "01p", "environment": "production"}
    return Event(kind, text, told, data={"state": state, "services": ["mail", "shop"]})


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
            about(EventKind.ROLLOUT_HOLDS, "waits for 1 approval", approvals=1),
            Topic.APPROVAL,
            "shop asks for 1 approval in production before its next share.",
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
        (
            about(EventKind.ROLLBACK_HELD, "not back (alert Slow), its traffic stays"),
            Topic.ROLLBACK,
            "it cannot go back\nshop in production: not back (alert Slow), its traffic stays.\nLook: tidegate watch",
        ),
        (
            about(EventKind.ROLLOUT_FELL_BACK, "nobody judged the rollout for 5m"),
            Topic.ROLLBACK,
            "its traffic went back by itself\nshop in production: nobody judged the rollout for 5m.",
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
        (
            about(EventKind.ERROR_BUDGET_BURNS, "the error budget burns: 9 of 600"),
            Topic.ERROR_BUDGET,
            "shop in production: the error budget burns: 9 of 600.",
        ),
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
        (
            freeze(EventKind.FREEZE_SET, "ada freezes production until Mon 2 Mar 2026 14:00 (UTC): the sale"),
            Topic.FREEZE,
            "all services (production): frozen\n"
            "Ada freezes production until Mon 2 Mar 2026 14:00 (UTC): the sale.\n"
            "Nothing new enters while it lasts; see all: tidegate freezes\n"
            "https://tidegate.example/#freezes",
        ),
        (freeze(EventKind.FREEZE_SET, "…", planned=True), Topic.FREEZE, "(production): a freeze is planned\n"),
        (freeze(EventKind.FREEZE_BEGAN, "…", service="shop"), Topic.FREEZE, "shop (production): frozen\n"),
        (freeze(EventKind.FREEZE_BEGAN, "…", service="shop"), Topic.FREEZE, "/services/shop#freezes"),
        (freeze(EventKind.FREEZE_ENDED, "…"), Topic.FREEZE, "(production): no longer frozen\n"),
        (freeze(EventKind.FREEZE_LIFTED, "…"), Topic.FREEZE, "What waits there goes on by itself: tidegate status"),
        (freeze(EventKind.FREEZE_LIFTED, "…", planned=True), Topic.FREEZE, "a planned freeze is taken back\n"),
        (
            train(EventKind.TRAIN_DEPARTED, "the train payments leaves with shop 1a2b, sent by ada"),
            Topic.TRAIN,
            "train payments (production): it left\n"
            "The train payments leaves with shop 1a2b, sent by ada.\n"
            "Look: tidegate train show payments\n"
            "https://tidegate.example/trains#train-payments",
        ),
        (train(EventKind.TRAIN_ENDED, "…", state="arrived"), Topic.TRAIN, "train payments (production): it arrived\n"),
        (train(EventKind.TRAIN_ENDED, "…", state="returned"), None, ""),
        (train(EventKind.TRAIN_ENDED, "…", state="cancelled"), None, ""),
        (
            train(EventKind.TRAIN_STOPPED, "… mail failed"),
            Topic.TRAIN_STOPPED,
            "it stops and comes back\n… mail failed",
        ),
        (
            about(EventKind.GATE_UNANSWERED, "production: tickets.example did not answer", question="q"),
            Topic.QUESTION,
            "shop (production): a question was not answered in time\n"
            "shop: production: tickets.example did not answer.\n"
            "The gate stays shut; ask again: tidegate gate ask 01r\n"
            "https://tidegate.example/runs/01r",
        ),
        (
            about(EventKind.GATE_ANSWERED, "production: tickets.example rejected: no", answer="rejected"),
            Topic.QUESTION,
            "shop (production): the answer from outside is no\n",
        ),
        (about(EventKind.GATE_ANSWERED, "production: tickets.example approved", answer="approved"), None, ""),
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
    assert channel.wants(topic, (service,), environment) is told


@pytest.mark.parametrize(
    ("patterns", "event", "told"),
    [
        (("mail",), train(EventKind.TRAIN_STOPPED, "…"), True),
        (("billing-*",), train(EventKind.TRAIN_STOPPED, "…"), False),
        (("mail",), freeze(EventKind.FREEZE_BEGAN, "…"), True),
        (("mail",), freeze(EventKind.FREEZE_BEGAN, "…", service="mail"), True),
        (("mail",), freeze(EventKind.FREEZE_BEGAN, "…", service="shop"), False),
        (("mail",), about(EventKind.RUN_ENDED, "…", status="failed"), False),
    ],
)
def test_what_concerns_several_services_or_all_is_told_to_whoever_listens_for_one(
    patterns: tuple[str, ...], event: Event, told: bool
) -> None:
    topic = topic_of(event)
    assert topic is not None
    assert Channel("c", "f", services=patterns).wants(topic, services_of(event), "production") is told


def test_without_a_word_a_channel_is_told_all_that_wants_somebody() -> None:
    assert frozenset(Topic) - UNLESS_SAID == {Topic.RUN_SUCCEEDED, Topic.TRAIN}


def test_who_hears_of_rollbacks_is_not_told_of_the_incident_that_begins_with_one_and_others_are() -> None:
    about = {**RUN, "incident": "01i"}
    opened = Event(EventKind.INCIDENT_OPENED, "errors: 25%", about, data={"rollback": True})
    assert "https://tidegate.example/incidents/01i" in said(opened) and "tidegate incident show 01i" in said(opened)
    assert is_told_otherwise(opened, {Topic.ROLLBACK, Topic.INCIDENT})
    assert not is_told_otherwise(opened, {Topic.INCIDENT})
    by_a_person = Event(EventKind.INCIDENT_OPENED, "slow", about)
    assert not is_told_otherwise(by_a_person, {Topic.ROLLBACK, Topic.INCIDENT})
