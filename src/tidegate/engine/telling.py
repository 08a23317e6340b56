"""Telling one channel: every event that it wants to hear of, at least once, in order.

Of several servers on one database one tells it: the channel's row says which, and until when. It goes on with it as
long as there is something to tell. When it dies, another one takes over when that time is up, and sends the message
again of which nobody knows whether it arrived.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.integrations.notifier import Notifier, NotTaken
from tidegate.model.channel import Channel, NotificationCursor, Topic
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.notification import (
    GATE_KINDS,
    TOLD_AT_LENGTH_FOR,
    Notification,
    asks_anew,
    is_told_otherwise,
    notification_of,
    services_of,
    summary_of,
    topic_of,
)
from tidegate.store import events, notification_queries, rows

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
PAGE = 200
LEASE = timedelta(seconds=60)
"""For how long a channel is one server's: longer than a sending takes, which is given up before."""

OTHERS_PAUSE = timedelta(seconds=5)
"""Until the next look at a channel that another server is telling."""

KEPT_EVERY = 1000
"""Of events that are nothing to tell: after so many it is kept that they were looked at."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be sent next, if anything, and the event up to which the channel has then been told."""

    up_to: int
    notification: Notification | None = None


class Teller:
    """Tells one channel. What was sent is kept after it was taken: after a crash between the two it is sent again."""

    def __init__(self, parts: Parts, channel: Channel, notifier: Notifier, address: str) -> None:
        self._parts = parts
        self._channel = channel
        self._notifier = notifier
        self._address = address
        self._id = parts.new_id()
        self._cursor: NotificationCursor | None = None
        self._looked_at = 0
        self._failures = 0

    def look(self) -> timedelta:
        """Send the next message that is due, and give how long to wait until the next look. Raises StoreUnavailable."""
        cursor = self._cursor or self._begin()
        self._looked_at = max(self._looked_at, cursor.event)
        due = self._due()
        if due.notification is None:
            self._looked_at = due.up_to
            if due.up_to - cursor.event < KEPT_EVERY:
                return LOOK_EVERY
        mine = self._claim(cursor)
        if mine is None:
            return OTHERS_PAUSE
        if due.notification is None:
            self._keep(replace(mine, event=due.up_to))
            return LOOK_EVERY
        try:
            self._notifier.send(due.notification)
        except NotTaken as failure:
            return self._failed(mine, str(failure))
        self._arrived(mine, due.up_to)
        return timedelta(0)

    def let_go(self) -> None:
        """Let another server tell the channel from now on."""
        if self._cursor and self._cursor.teller == self._id:
            self._keep(replace(self._cursor, leased_until=None))

    def _claim(self, cursor: NotificationCursor) -> NotificationCursor | None:
        """Have the channel for oneself; None where another server tells it, or has told it further meanwhile."""
        now = self._parts.clock.now()
        if cursor.teller == self._id and cursor.leased_until and cursor.leased_until - now > LEASE / 2:
            return cursor
        with self._parts.database.writing() as connection:
            known = self._locked(connection) or cursor
            self._cursor = known
            # on SQLite there is no other server: the lease is of an earlier life
            is_free = self._parts.database.is_sqlite or known.is_free_for(self._id, now)
            if known.event != cursor.event or not is_free:
                return None
            self._cursor = replace(known, teller=self._id, leased_until=now + LEASE)
            rows.put(connection, self._cursor)
        return self._cursor

    def _locked(self, connection: Connection) -> NotificationCursor | None:
        """The channel's row, which no other server changes until the transaction ends."""
        self._parts.database.lock_service(connection, f"channel {self._channel.name}")
        return notification_queries.cursor(connection, self._channel.name)

    def _begin(self) -> NotificationCursor:
        """Where it was; a channel that is new is told what happens from now on."""
        with self._parts.database.writing() as connection:
            known = self._locked(connection)
            if known is None:
                known = NotificationCursor(self._channel.name, events.last_id(connection))
                rows.put(connection, known)
        self._cursor = known
        return known

    def _due(self) -> _Due:
        """The next message; one for all that are too old together."""
        now, position = self._parts.clock.now(), self._looked_at
        old: list[tuple[Topic, datetime]] = []
        with self._parts.database.reading() as connection:
            while page := events.since(connection, position, PAGE):
                for recorded in page:
                    topic = self._topic(connection, recorded)
                    if topic and now - recorded.at <= TOLD_AT_LENGTH_FOR:
                        if old:
                            return _Due(position, self._summary(old))
                        return _Due(recorded.id, notification_of(recorded, topic, self._address, now))
                    if topic:
                        old.append((topic, recorded.at))
                    position = recorded.id
        return _Due(position, self._summary(old) if old else None)

    def _topic(self, connection: Connection, recorded: RecordedEvent) -> Topic | None:
        event = recorded.event
        topic = topic_of(event)
        if topic is None or not self._channel.wants(topic, services_of(event), event.about.get("environment")):
            return None
        if is_told_otherwise(event, self._channel.about):
            return None
        if event.kind is EventKind.GATE_DECIDED:
            earlier = events.of_run_before(connection, event.about["run"], recorded.id, GATE_KINDS)
            return topic if asks_anew(event, earlier) else None
        return topic

    def _summary(self, old: list[tuple[Topic, datetime]]) -> Notification:
        counts = Counter(topic for topic, _ in old)
        return summary_of(counts, old[0][1], old[-1][1], self._address)

    def _arrived(self, cursor: NotificationCursor, up_to: int) -> None:
        self._failures = 0
        if cursor.failing_since is None:
            self._keep(replace(cursor, event=up_to))
            return
        text = f"messages to {self._channel.name} arrive again"
        log.info("%s", text)
        told = replace(cursor, event=up_to, failing_since=None, failing_because="")
        self._keep(told, Event(EventKind.NOTIFICATIONS_ARRIVE, text, self._about()))

    def _failed(self, cursor: NotificationCursor, why: str) -> timedelta:
        """Say once that nothing arrives; it is tried again and again, with growing pauses."""
        pause = min(FIRST_PAUSE * (1 << min(self._failures, 20)), LONGEST_PAUSE)
        self._failures += 1
        if cursor.failing_since is None:
            name = self._channel.name
            text = f"messages to {name} do not arrive: {why}; they are sent again; try: tidegate notify test {name}"
            log.warning("%s", text)
            failing = replace(cursor, failing_since=self._parts.clock.now(), failing_because=why)
            self._keep(failing, Event(EventKind.NOTIFICATIONS_FAIL, text, self._about()), until=pause + LEASE)
        else:
            self._keep(replace(cursor, failing_because=why), until=pause + LEASE)
        return pause

    def _keep(self, cursor: NotificationCursor, *told: Event, until: timedelta = LEASE) -> None:
        """Keep how far it was told, and that it stays this server's. One that took over meanwhile knows better."""
        with self._parts.database.writing() as connection:
            now = self._parts.clock.now()
            known = self._locked(connection)
            if known and known.teller != self._id:
                log.warning("notifications to %s: another server has taken over", self._channel.name)
                self._cursor = known
                return
            kept = replace(cursor, leased_until=now + until) if cursor.leased_until else cursor
            rows.put(connection, kept)
            events.append(connection, told, now)
        self._cursor = kept

    def _about(self) -> dict[str, str]:
        return {"channel": self._channel.name}
