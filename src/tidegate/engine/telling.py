"""Telling one channel: every event that it wants to hear of, at least once, in order."""

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
            if due.up_to - cursor.event >= KEPT_EVERY:
                self._keep(replace(cursor, event=due.up_to))
            return LOOK_EVERY
        try:
            self._notifier.send(due.notification)
        except NotTaken as failure:
            return self._failed(cursor, str(failure))
        self._arrived(cursor, due.up_to)
        return timedelta(0)

    def _begin(self) -> NotificationCursor:
        """Where it was; a channel that is new is told what happens from now on."""
        with self._parts.database.writing() as connection:
            known = notification_queries.cursor(connection, self._channel.name)
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
            self._keep(failing, Event(EventKind.NOTIFICATIONS_FAIL, text, self._about()))
        elif cursor.failing_because != why:
            self._keep(replace(cursor, failing_because=why))
        return pause

    def _keep(self, cursor: NotificationCursor, *told: Event) -> None:
        with self._parts.database.writing() as connection:
            rows.put(connection, cursor)
            events.append(connection, told, self._parts.clock.now())
        self._cursor = cursor

    def _about(self) -> dict[str, str]:
        return {"channel": self._channel.name}
