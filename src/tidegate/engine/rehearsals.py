"""Rehearsals: what came of them is a line of the record, and is read from there."""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.engine.refusal import not_found
from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.rehearsal import RecordedRehearsal, Rehearsal
from tidegate.store import events, queries

_AS_DATA = TypeAdapter(Rehearsal)
_LOOKED_THROUGH = 50
"""So many of the newest are looked through for one that went well."""


def record_rehearsal(parts: Parts, rehearsal: Rehearsal, by: Actor) -> RecordedRehearsal:
    """Keep what came of a rehearsal. Raises Refused where there is no such service."""
    about = {"service": str(rehearsal.service), "environment": rehearsal.environment}
    data = {**_AS_DATA.dump_python(rehearsal, mode="json"), "went_well": rehearsal.went_well}
    event = Event(EventKind.REHEARSED, rehearsal.in_words, about, by, data)
    with parts.database.writing() as connection:
        if queries.service(connection, rehearsal.service) is None:
            raise not_found("service", rehearsal.service)
        now = parts.clock.now()
        events.append(connection, [event], now)
        return RecordedRehearsal(events.last_id(connection), now, by, rehearsal)


def rehearsals(connection: Connection, service: str | None = None, limit: int = 50) -> tuple[RecordedRehearsal, ...]:
    """The rehearsals of a service, or of all, the newest first."""
    found = events.newest(connection, EventKind.REHEARSED, service, limit)
    return tuple(map(_recorded, found))


def last_that_went_well(connection: Connection, service: str) -> RecordedRehearsal | None:
    """The newest rehearsal of a service in which every fault was found and ended on a known release; None where none of
    the newest was that."""
    return next((one for one in rehearsals(connection, service, _LOOKED_THROUGH) if one.rehearsal.went_well), None)


def _recorded(one: RecordedEvent) -> RecordedRehearsal:
    return RecordedRehearsal(one.id, one.at, one.event.actor, _AS_DATA.validate_python(one.event.data))
