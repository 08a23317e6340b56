"""Two servers on one Postgres tell a channel each thing once, and where one dies the other goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.engine.shop import Shop
from tests.integration.engine.test_notifications import ADDRESS, ALL, AT_ONCE, Crash, People, trouble

from tidegate.engine.notifications import Notifications
from tidegate.engine.telling import LEASE, LOOK_EVERY, OTHERS_PAUSE, Teller
from tidegate.model.event import EventKind
from tidegate.model.notification import Notification
from tidegate.store import events, notification_queries
from tidegate.store.database import Database

pytestmark = pytest.mark.parametrize("either_database", ["postgres"], indirect=True)

LIMIT_SECONDS = 30


class Room(People):
    """Whom both servers reach; `meanwhile` is what happens once while a message is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] | None = None

    def send(self, notification: Notification) -> None:
        super().send(notification)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()

    @property
    def numbers(self) -> list[int]:
        """Of the troubles that were told, in the order in which they arrived."""
        return [int(one.text.partition("stuck: ")[2].partition(".")[0]) for one in self.heard]


class TwoServers:
    """Two tellers of one channel, with all that happened since they began."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.room = shop, Room()
        self.first, self.second = self.server(), self.server()
        for one in (self.first, self.second):
            one.look()

    def server(self) -> Teller:
        return Teller(self.shop.parts, ALL, self.room, ADDRESS)

    def happens(self, *numbers: int) -> None:
        with self.shop.database.writing() as connection:
            events.append(connection, [trouble(one) for one in numbers], self.shop.clock.now())


@pytest.fixture
def two(either_database: Database, tmp_path: Path) -> TwoServers:
    return TwoServers(Shop(either_database, tmp_path))


def tells(teller: Teller) -> timedelta:
    """Look until nothing more is due at once; the pause until the next look."""
    while (pause := teller.look()) == AT_ONCE:
        pass
    return pause


def test_each_message_is_told_by_one_server_only(two: TwoServers) -> None:
    two.happens(1, 2, 3)
    assert tells(two.first) == LOOK_EVERY
    assert tells(two.second) == OTHERS_PAUSE
    assert tells(two.second) == LOOK_EVERY
    two.happens(4)
    assert tells(two.second) == OTHERS_PAUSE
    assert tells(two.first) == LOOK_EVERY
    assert two.room.numbers == [1, 2, 3, 4]


def test_two_servers_that_look_at_the_same_moment_tell_everything_once(two: TwoServers) -> None:
    everything = list(range(40))
    two.happens(*everything)
    begin, done = threading.Barrier(2), threading.Event()

    def keep_telling(teller: Teller) -> None:
        begin.wait(LIMIT_SECONDS)
        while not done.is_set():
            teller.look()
            if len(two.room.heard) >= len(everything):
                done.set()

    threads = [threading.Thread(target=keep_telling, args=(one,)) for one in (two.first, two.second)]
    for one in threads:
        one.start()
    assert done.wait(LIMIT_SECONDS)
    for one in threads:
        one.join(LIMIT_SECONDS)
    for teller in (two.first, two.second, two.first, two.second):
        tells(teller)
    assert two.room.numbers == everything


def test_when_one_dies_in_the_middle_the_other_sends_that_again_and_goes_on(two: TwoServers) -> None:
    two.happens(1, 2)

    def dies() -> None:
        raise Crash

    two.room.meanwhile = dies
    with pytest.raises(Crash):
        two.first.look()
    assert tells(two.second) == OTHERS_PAUSE
    assert two.room.numbers == [1]
    two.shop.clock.time += LEASE
    assert tells(two.second) == LOOK_EVERY
    assert two.room.numbers == [1, 1, 2]


def test_one_that_was_stopped_for_long_finds_that_the_other_went_on(two: TwoServers) -> None:
    two.happens(1, 2)

    def stands_still() -> None:
        two.shop.clock.time += LEASE
        tells(two.second)
        two.happens(3)

    two.room.meanwhile = stands_still
    two.first.look()
    assert tells(two.first) == OTHERS_PAUSE
    tells(two.second)
    assert two.room.numbers == [1, 1, 2, 3]
    assert tells(two.first) == OTHERS_PAUSE
    assert tells(two.first) == LOOK_EVERY
    with two.shop.database.reading() as connection:
        cursor = notification_queries.cursor(connection, ALL.name)
        assert cursor and cursor.event == events.last_id(connection)


def test_a_channel_that_fails_is_tried_and_named_by_one_of_them(two: TwoServers) -> None:
    two.room.why_not = "away"
    two.happens(1)
    pauses = []
    for _ in range(6):
        pauses.append(two.first.look())
        two.shop.clock.time += pauses[-1]
        assert two.second.look() == OTHERS_PAUSE
    assert [one.total_seconds() for one in pauses] == [5, 10, 20, 40, 80, 160]
    with two.shop.database.reading() as connection:
        told = [one.event.kind for one in events.since(connection, 0)]
    assert told.count(EventKind.NOTIFICATIONS_FAIL) == 1
    two.room.why_not = None
    tells(two.first)
    assert two.room.numbers == [1]


def test_a_server_that_stops_lets_the_other_go_on_at_once(two: TwoServers) -> None:
    notifications = Notifications(two.shop.parts, [ALL], lambda _: two.room, ADDRESS)
    two.room.meanwhile = (told := threading.Event()).set
    notifications.start()
    two.happens(1)
    assert told.wait(LIMIT_SECONDS)
    notifications.stop(LIMIT_SECONDS)
    two.happens(2)
    assert tells(two.second) == OTHERS_PAUSE, "it sees that the first one is told"
    assert tells(two.second) == LOOK_EVERY
    assert two.room.numbers == [1, 2]
