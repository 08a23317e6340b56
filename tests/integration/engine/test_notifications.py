"""Channels are told what happens: at least once, in order, whatever crashes, and a bad one holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, SHOP, Shop
from tests.integration.integrations.receiver import Receiver, a_receiver

from tidegate.engine.freezes import FreezeActs, WantedFreeze
from tidegate.engine.glass import GlassActs
from tidegate.engine.notifications import Notifications
from tidegate.engine.refusal import Refusal
from tidegate.engine.telling import KEPT_EVERY, LOOK_EVERY, Teller
from tidegate.integrations.apprise_notifier import AppriseNotifier
from tidegate.integrations.notifier import NotTaken
from tidegate.model.approval import Answer
from tidegate.model.channel import Channel, NotificationCursor, Topic
from tidegate.model.event import Event, EventKind
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName
from tidegate.model.notification import Notification
from tidegate.store import events, notification_queries, rows

ADDRESS = "https://tidegate.example"
ALL = Channel("leads", "leads-urls")
AT_ONCE = timedelta(0)


class People:
    """Whom a notifier reaches; `why_not` is why nobody takes anything, where that is so."""

    def __init__(self) -> None:
        self.heard: list[Notification] = []
        self.why_not: str | None = None

    def check(self) -> None:
        pass

    def send(self, notification: Notification) -> None:
        if self.why_not is not None:
            raise NotTaken(self.why_not)
        self.heard.append(notification)

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.heard]


class Crash(BaseException):
    """The server is killed."""


class Telling:
    """A shop, and a channel that is told of it by looks that the test takes."""

    def __init__(self, shop: Shop, channel: Channel = ALL) -> None:
        self.shop, self.channel, self.people = shop, channel, People()
        self.restart()
        self.look()

    def restart(self) -> None:
        """Another server on the same database."""
        self.teller = Teller(self.shop.parts, self.channel, self.people, ADDRESS)

    def look(self) -> timedelta:
        """Look until nothing more is due at once; the pause until the next look."""
        while (pause := self.teller.look()) == AT_ONCE:
            pass
        return pause

    def titles(self) -> list[str]:
        """What arrives with a look, since the last one that was asked for."""
        self.people.heard.clear()
        self.look()
        return self.people.titles

    def cursor(self) -> NotificationCursor:
        with self.shop.database.reading() as connection:
            found = notification_queries.cursor(connection, self.channel.name)
        assert found is not None
        return found

    def says(self, *told: Event) -> None:
        """Events that happen."""
        with self.shop.database.writing() as connection:
            events.append(connection, told, self.shop.clock.now())


def trouble(number: int) -> Event:
    return Event(EventKind.PLACEMENT_STUCK, f"stuck: {number}", {"service": "shop", "environment": "production"})


@pytest.fixture
def telling(shop: Shop) -> Telling:
    return Telling(shop)


def test_an_approval_is_asked_for_once_and_again_after_it_was_taken_back(telling: Telling) -> None:
    shop = telling.shop
    run = shop.added()
    shop.built()
    assert telling.titles() == ["shop (production): an approval is asked for"]
    (asked,) = telling.people.heard
    assert f"shop {shop.label(run)} asks for approval to production: 0 of 1 approvals" in asked.text
    assert f"tidegate approve {run}" in asked.text and asked.link == f"{ADDRESS}/runs/{run}"
    shop.services.pause(SHOP, OWNER, "lunch")
    shop.settle()
    shop.runs.hold(run, OWNER)
    shop.settle()
    assert telling.titles() == []
    shop.runs.answer(run, Answer.APPROVED, OWNER)
    shop.settle()
    assert telling.titles() == []
    shop.runs.withdraw(run, OWNER)
    shop.settle()
    assert telling.titles() == ["shop (production): an approval is asked for"]


def test_break_glass_is_loud_with_the_review_that_is_owed(telling: Telling) -> None:
    shop = telling.shop
    run = shop.added()
    shop.built()
    telling.look()
    made = GlassActs(shop.engine).break_glass(run, "the shop is down", OWNER)
    shop.settle()
    assert telling.titles() == ["shop (production): the glass was broken"]
    assert "owner breaks the glass" in telling.people.heard[0].text
    assert f"tidegate review {made.id}" in telling.people.heard[0].text


def test_a_freeze_is_told_when_it_is_planned_when_it_begins_and_when_it_is_over(telling: Telling) -> None:
    shop, hour = telling.shop, timedelta(hours=1)
    freezes, now = FreezeActs(shop.engine), shop.clock.now()
    freezes.freeze(WantedFreeze("production", now + 2 * hour, "the sale", begins=now + hour), OWNER)
    freezes.freeze(WantedFreeze("staging", now + 9 * hour, "moving house"), OWNER)
    planned, frozen = "all services (production): a freeze is planned", "all services (staging): frozen"

    def swept() -> list[str]:
        shop.engine.sweep()
        shop.engine.sweep()
        return telling.titles()

    assert swept() == [planned, frozen]
    shop.clock.time += hour
    assert swept() == ["all services (production): frozen"]
    shop.clock.time += hour
    assert swept() == ["all services (production): no longer frozen"]
    (other,) = (one for one in _known(shop, freezes) if one.environment == "staging")
    freezes.lift(other.id, OWNER)
    assert swept() == ["all services (staging): no longer frozen"]
    shop.clock.time += 9 * hour
    assert swept() == []


def test_a_channel_hears_of_its_services_environments_and_topics_only(shop: Shop) -> None:
    production = (EnvironmentName("production"),)
    done = Telling(shop, Channel("done", "f", frozenset({Topic.RUN_SUCCEEDED}), ("sh*",), production))
    others = Telling(shop, Channel("others", "f", services=("billing-*",)))
    shop.deployed()
    assert done.titles() == ["shop (production): a run succeeded"]
    assert others.titles() == []


def test_a_new_channel_begins_with_what_happens_from_now_on(shop: Shop) -> None:
    shop.added()
    shop.built()
    telling = Telling(shop)
    assert telling.people.heard == []
    telling.says(trouble(1))
    assert telling.titles() == ["shop (production): stuck"]


def test_after_a_crash_between_sending_and_keeping_that_it_is_sent_again_and_nothing_is_left_out(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling.says(trouble(1), trouble(2), trouble(3))
    put = rows.put
    killed: list[object] = []

    def crash(connection: object, value: object) -> None:
        if len(telling.people.heard) == 2 and not killed:
            killed.append(value)
            raise Crash
        put(connection, value)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "put", crash)
    with pytest.raises(Crash):
        telling.look()
    telling.restart()
    telling.look()
    assert [one.text.split(".")[0][-1] for one in telling.people.heard] == ["1", "2", "2", "3"]


def test_a_channel_that_fails_is_named_once_tried_with_growing_pauses_and_loses_nothing(telling: Telling) -> None:
    telling.says(trouble(1), trouble(2))
    telling.people.why_not = "Slack answered with status 404"
    pauses = [telling.look().total_seconds() for _ in range(12)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == 900
    assert telling.cursor().failing_because == "Slack answered with status 404"
    telling.restart()
    telling.people.why_not = "Slack answered with status 500"
    telling.look()
    assert telling.cursor().failing_because == "Slack answered with status 500"
    telling.people.why_not = None
    assert len(telling.titles()) == 2
    assert telling.cursor().failing_since is None
    assert [one for one in telling.shop.said() if "leads" in one] == [
        "messages to leads do not arrive: Slack answered with status 404; they are sent again; "
        "try: tidegate notify test leads",
        "messages to leads arrive again",
    ]
    assert telling.titles() == []


def test_what_is_older_than_a_day_is_summed_up_in_one_message(telling: Telling) -> None:
    telling.people.why_not = "away"
    telling.says(*map(trouble, range(450)))
    telling.look()
    telling.shop.clock.time += timedelta(days=2)
    telling.says(trouble(1000))
    telling.people.why_not = None
    assert telling.titles() == ["450 messages were not sent", "shop (production): stuck"]
    assert "450× stuck" in telling.people.heard[0].text
    telling.restart()
    assert telling.titles() == []


def test_that_nothing_was_to_tell_is_kept_now_and_then(telling: Telling) -> None:
    nothing = Event(EventKind.STEP_BEGAN, "build: tests begins", {"service": "shop"})
    telling.says(*[nothing] * 10)
    assert telling.look() == LOOK_EVERY
    assert telling.cursor().event == 0
    telling.says(*[nothing] * KEPT_EVERY)
    telling.look()
    assert telling.cursor().event == 10 + KEPT_EVERY


def _known(shop: Shop, freezes: FreezeActs) -> tuple[Freeze, ...]:
    with shop.database.reading() as connection:
        return freezes.all(connection)


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    with a_receiver() as slow, a_receiver() as quick:
        yield {"slow": slow, "quick": quick}


def test_a_slow_channel_holds_up_nobody_and_gets_its_messages_later(shop: Shop, receivers: dict[str, Receiver]) -> None:
    notifications = Notifications(shop.parts, [Channel("slow", "f"), Channel("quick", "f")], _by(receivers), ADDRESS)
    notifications.start()
    try:
        receivers["slow"].answers.clear()
        run = shop.added()
        shop.built()
        assert run in receivers["quick"].next()["message"]
        assert not receivers["slow"].has_more()
        receivers["slow"].answers.set()
        assert run in receivers["slow"].next()["message"]
    finally:
        notifications.stop(30)
    assert not [one for one in threading.enumerate() if one.name.startswith("tidegate-notify-")]


def test_a_test_of_a_channel_says_whether_it_arrived(shop: Shop, receivers: dict[str, Receiver]) -> None:
    notifications = Notifications(shop.parts, [Channel("quick", "quick-urls")], _by(receivers), ADDRESS)
    notifications.test("quick", OWNER)
    assert receivers["quick"].next()["message"].startswith("owner tries whether messages arrive here")
    receivers["quick"].status = 401
    refused = shop.refuses(lambda: notifications.test("quick", OWNER), Refusal.CONFLICT)
    assert str(refused) == "the message to quick did not arrive: JSON answered with status 401"
    assert "quick-urls" in str(refused.remedy)
    assert shop.refuses(lambda: notifications.test("nosuch", OWNER), Refusal.NOT_FOUND).remedy


def _by(receivers: dict[str, Receiver]) -> Callable[[Channel], AppriseNotifier]:
    return lambda channel: AppriseNotifier(receivers[channel.name].url)
