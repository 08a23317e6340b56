"""What people do about freezes: begin one now or later, end it, and see which there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.event import EventKind
from tidegate.model.freeze import Freeze
from tidegate.model.freeze_turns import begun_freeze, freeze_event
from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.local_time import UnknownZone, say_when, zone
from tidegate.store import events, queries, rows, time_queries

LONGEST = timedelta(days=366)
FURTHEST = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True)
class WantedFreeze:
    """A freeze that somebody asks for: of one service or all, from `begins` (now where that is None) until `ends`."""

    environment: str
    ends: datetime
    reason: str
    service: str | None = None
    begins: datetime | None = None
    timezone: str = "UTC"


class FreezeActs:
    """Each act is one transaction that changes rows and records who did it, and then hints at whoever waits there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def freeze(self, wanted: WantedFreeze, actor: Actor) -> Freeze:
        """Let no gate open there for a time. Raises Refused where that is no time, or there is no such place."""
        now = self._parts.clock.now()
        begins = wanted.begins or now
        _check(wanted, begins, now)
        with self._parts.database.writing() as connection:
            self._check_place(connection, wanted)
            made = Freeze(
                id=self._parts.new_id(),
                environment=EnvironmentName(wanted.environment),
                begins=begins,
                ends=wanted.ends,
                reason=wanted.reason.strip(),
                by=actor,
                made_at=now,
                timezone=wanted.timezone,
                service=ServiceName(wanted.service) if wanted.service else None,
            )
            rows.put(connection, made)
            if begins <= now:
                rows.put(connection, begun_freeze(made))
            since = f"from {say_when(begins, made.timezone)} " if begins > now else ""
            until = say_when(made.ends, made.timezone)
            text = f"{actor.name} freezes {made.place} {since}until {until}: {made.reason}"
            events.append(connection, [freeze_event(EventKind.FREEZE_SET, text, made, now, actor)], now)
        self._hint(made)
        return made

    def lift(self, freeze_id: str, actor: Actor) -> Freeze:
        """End a freeze now, or take back one that is planned."""
        with self._parts.database.writing() as connection:
            now = self._parts.clock.now()
            found = self.known(connection, freeze_id)
            if found.is_configured:
                raise Refused(
                    Refusal.REFUSED,
                    f"{found.place} is frozen by the server's configuration",
                    "remove it from tidegate-server.yaml, and start the server again",
                )
            if found.is_over(now):
                raise Refused(Refusal.CONFLICT, f"the freeze {found.id} is over already")
            found = replace(found, lifted_at=now, lifted_by=actor)
            rows.put(connection, found)
            text = f"{actor.name} ends the freeze of {found.place}: {found.reason}"
            events.append(connection, [freeze_event(EventKind.FREEZE_LIFTED, text, found, now, actor)], now)
        self._hint(found)
        return found

    def known(self, connection: Connection, freeze_id: str) -> Freeze:
        """The freeze with that id, of the database or of the server's configuration. Raises Refused."""
        found = self.find(connection, freeze_id)
        if found is None:
            raise not_found("freeze", freeze_id, "tidegate freezes")
        return found

    def find(self, connection: Connection, freeze_id: str) -> Freeze | None:
        """The same, None where there is none."""
        found = time_queries.freeze(connection, freeze_id)
        return found or next((one for one in self._configured() if one.id == freeze_id), None)

    def all(self, connection: Connection) -> tuple[Freeze, ...]:
        """Those that hold or are planned, wherever they come from, by their beginning."""
        now = self._parts.clock.now()
        configured = (one for one in self._configured() if not one.is_over(now))
        found = (*time_queries.freezes(connection, now), *configured)
        return tuple(sorted(found, key=lambda one: (one.begins, one.id)))

    def _configured(self) -> Iterator[Freeze]:
        return (one for environment in self._parts.environments.values() for one in environment.freezes)

    def _check_place(self, connection: Connection, wanted: WantedFreeze) -> None:
        if wanted.environment not in self._parts.environments:
            raise not_found("environment", wanted.environment, "tidegate environment list")
        if wanted.service is not None and queries.service(connection, wanted.service) is None:
            raise not_found("service", wanted.service, "tidegate service list")

    def _hint(self, freeze: Freeze) -> None:
        with self._parts.database.reading() as connection:
            waiting = time_queries.run_ids_at_gates_of(connection, freeze.environment, freeze.service)
        for run in waiting:
            self._engine.queue.hint(f"run:{run}")


def _check(wanted: WantedFreeze, begins: datetime, now: datetime) -> None:
    if not wanted.reason.strip():
        raise Refused(Refusal.INVALID, "a freeze is recorded with its reason", "add --reason TEXT")
    try:
        zone(wanted.timezone)
    except UnknownZone as error:
        raise Refused(Refusal.INVALID, str(error), "write one like Europe/London") from None
    if wanted.ends <= max(begins, now):
        raise Refused(Refusal.INVALID, "the freeze would end before it begins, or has ended", "give a later --until")
    if wanted.ends - begins > LONGEST or wanted.ends - now > FURTHEST:
        raise Refused(Refusal.INVALID, "a freeze takes at most a year, and ends within three", "end it earlier")
