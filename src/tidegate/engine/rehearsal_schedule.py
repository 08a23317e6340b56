"""Rehearsals that the server begins by itself: one at a time, beside it, while nothing protected is verified."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import ServiceName, split_placement
from tidegate.model.quantity import format_duration
from tidegate.model.rehearsal_rule import RehearsalRule
from tidegate.model.rehearsal_schedule import (
    AGAIN,
    FAILED,
    KINDS,
    SCHEDULED,
    Occurrence,
    Rehearsed,
    known_of,
    occurrence,
)
from tidegate.model.rehearsal_time import in_all
from tidegate.model.rollout import Rollout
from tidegate.security.permission import rehearsal_identity
from tidegate.security.tokens import Tokens, new_token
from tidegate.store import events, queries

log = logging.getLogger(__name__)

_LINES = 100
"""So many of a service's newest lines about rehearsals are read."""

STOP_SECONDS = 10.0
"""How long a server that stops waits for the rehearsal that it began."""


class CannotPlay(Exception):
    """A rehearsal cannot be begun; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be played, and the token with which it may say what came of it."""

    service: ServiceName
    rule: RehearsalRule
    token: str


@dataclass(frozen=True, slots=True)
class Played:
    """That the playing has ended, and its last words."""

    said: str


class Player(Protocol):
    """Plays one rehearsal at a time, apart from the server."""

    def begin(self, order: Order) -> None:
        """Begin to play. Raises CannotPlay."""

    def look(self) -> Played | None:
        """How it ended, with nothing of it left; None as long as it goes on. It is asked until it has ended."""

    def ask_to_end(self) -> None:
        """Have it end soon."""

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after so long."""

    def clear(self) -> None:
        """End what an earlier server left playing."""


@dataclass(slots=True)
class _Playing:
    order: Order
    line: int
    began_at: datetime
    at_most: timedelta
    ends_because: str | None = None
    again: bool = False
    failed: bool = False


class RehearsalSchedule:
    """Begins what is due, and records how it began and ended."""

    def __init__(self, parts: Parts, player: Player, tokens: Tokens) -> None:
        self._parts = parts
        self._player = player
        self._tokens = tokens
        self._playing: _Playing | None = None
        self._stopped = False
        self._lock = threading.Lock()
        """A server that stops does not wait for ever for the thread that looks."""

    def recover(self) -> None:
        """End what an earlier server left playing, and record that it came to nothing."""
        self._player.clear()
        with self._parts.database.reading() as connection:
            left = [(one.rehearsed.service, one.known) for one in occurrences(connection, self._parts)]
        for service, known in left:
            if known.since is not None:
                self._record_end(service, "the server ended meanwhile")

    def look(self) -> None:
        """See how what plays is; begin what is due where nothing does."""
        with self._lock:
            if self._stopped:
                return
            if self._playing is not None:
                self._look_at(self._playing)
            if self._playing is None:
                self._begin_due()

    def stop(self) -> None:
        """The server stops: so does what it began, until its next time."""
        with self._lock:
            playing, self._playing, self._stopped = self._playing, None, True
            if playing is None:
                return
            self._end_soon(playing, "the server was stopped")
            self._player.wait(STOP_SECONDS)
            self._tokens.remove(playing.order.token)
            self._record_end(playing.order.service, "the server was stopped")

    def _begin_due(self) -> None:
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            due = [one for one in occurrences(connection, self._parts) if one.is_due]
            busy = self._busy(connection, now) if due else None
        if not due:
            return
        first = min(due, key=lambda one: one.known.last_at or datetime.min.replace(tzinfo=UTC))
        if busy is not None:
            log.debug("no rehearsal of %s at %s: %s is verified", first.rehearsed.service, now, busy.placement)
            return
        self._begin(first.rehearsed, now)

    def _begin(self, rehearsed: Rehearsed, now: datetime) -> None:
        order = Order(rehearsed.service, rehearsed.rule, new_token())
        at_most = in_all(rehearsed.pipeline, rehearsed.rule)
        faults = [one.value for one in order.rule.faults]
        text = f"a rehearsal of {rehearsed.commit[:8]} of {order.service} begins by itself: {', '.join(faults)}"
        data = {"commit": rehearsed.commit, "faults": faults, "quick": order.rule.quick}
        about = {"service": str(order.service), "environment": str(rehearsed.environment)}
        with self._parts.database.writing() as connection:
            events.append(connection, [Event(EventKind.REHEARSAL_BEGAN, text, about, SCHEDULED, data)], now)
            line = events.last_id(connection)
        self._tokens.add(order.token, rehearsal_identity(order.service))
        try:
            self._player.begin(order)
        except CannotPlay as error:
            self._tokens.remove(order.token)
            self._record_end(order.service, str(error), failed=True)
            return
        self._playing = _Playing(order, line, now, at_most)

    def _look_at(self, playing: _Playing) -> None:
        now, service = self._parts.clock.now(), playing.order.service
        played = self._player.look()
        if played is not None:
            self._tokens.remove(playing.order.token)
            self._playing = None
            if not self._is_recorded(playing):
                because = playing.ends_because or played.said or "it said nothing"
                failed = playing.failed or playing.ends_because is None
                self._record_end(service, because, again=playing.again, failed=failed)
        elif now >= playing.began_at + playing.at_most:
            playing.failed = True
            self._end_soon(playing, f"it was not over after {format_duration(playing.at_most)}, and given up")
        else:
            with self._parts.database.reading() as connection:
                busy = self._busy(connection, now)
            if busy is not None:
                playing.again = True
                self._end_soon(playing, f"it makes room: a rollout goes on at {busy.placement}")

    def _end_soon(self, playing: _Playing, because: str) -> None:
        if playing.ends_because is None:
            playing.ends_because = because
            log.info("the rehearsal of %s is ended: %s", playing.order.service, because)
            self._player.ask_to_end()

    def _is_recorded(self, playing: _Playing) -> bool:
        """Whether what came of it is in the record."""
        with self._parts.database.reading() as connection:
            found = events.newest_of(connection, (EventKind.REHEARSED,), playing.order.service, _LINES)
        return any(one.id > playing.line and one.event.actor.name == SCHEDULED.name for one in found)

    def _record_end(self, service: ServiceName, because: str, *, again: bool = False, failed: bool = False) -> None:
        text = f"the rehearsal of {service} was not played to its end: {because}"
        log.info("%s", text)
        event = Event(
            EventKind.REHEARSAL_ENDED, text, {"service": str(service)}, SCHEDULED, {AGAIN: again, FAILED: failed}
        )
        with self._parts.database.writing() as connection:
            events.append(connection, [event], self._parts.clock.now())

    def _busy(self, connection: Connection, now: datetime) -> Rollout | None:
        """A rollout whose figures a rehearsal would spoil: both are on this machine."""
        return next((one for one in queries.active_rollouts(connection) if self._is_spoilt(one, now)), None)

    def _is_spoilt(self, rollout: Rollout, now: datetime) -> bool:
        environment = self._parts.environment(split_placement(rollout.placement)[1])
        return environment.protected and rollout.keeps_busy(now)


def occurrences(connection: Connection, parts: Parts, service: str | None = None) -> Iterator[Occurrence]:
    """The services, or this one, whose serving release says that it is rehearsed by itself, and how that stands."""
    now = parts.clock.now()
    for one in queries.services(connection):
        if service not in (None, one.name) or (found := _rehearsed(connection, parts, one.name)) is None:
            continue
        known = known_of(events.newest_of(connection, KINDS, one.name, _LINES))
        yield occurrence(found, known, now)


def _rehearsed(connection: Connection, parts: Parts, service: ServiceName) -> Rehearsed | None:
    """What `tidegate rehearse` takes: what serves in the last environment of the server's file that has any of it."""
    serving = {one.environment: one.serving for one in queries.placements(connection, service) if one.serving}
    last = next((name for name in reversed(list(parts.environments)) if name in serving), None)
    deployment = queries.deployment(connection, str(serving[last])) if last else None
    release = queries.release(connection, deployment.release) if deployment else None
    if last is None or release is None or release.pipeline.rehearsals is None:
        return None
    return Rehearsed(service, last, release.change.commit, release.pipeline, release.pipeline.rehearsals)
