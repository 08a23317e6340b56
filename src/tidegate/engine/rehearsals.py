"""Rehearsals: what came of them is a line of the record, and is read from there."""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.engine.refusal import not_found
from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.rehearsal import RecordedRehearsal, Rehearsal
from tidegate.store import events, queries

_AS_DATA = TypeAdapter(Rehearsal)


def record_rehearsal(parts: Parts, rehearsal: Rehearsal, by: Actor) -> RecordedRehearsal:
    """Keep what came of a rehearsal. Raises Refused where there is no such service."""
    about = {"service": str(rehearsal.service), "environment": rehearsal.environment}
    event = Event(EventKind.REHEARSED, rehearsal.in_words, about, by, _AS_DATA.dump_python(rehearsal, mode="json"))
    with parts.database.writing() as connection:
        if queries.service(connection, rehearsal.service) is None:
            raise not_found("service", rehearsal.service)
        events.append(connection, [event], parts.clock.now())
        return RecordedRehearsal(events.last_id(connection), by, rehearsal)


def rehearsals(connection: Connection, service: str | None = None, limit: int = 50) -> tuple[RecordedRehearsal, ...]:
    """The rehearsals of a service, or of all, the newest first."""
    found = events.newest(connection, EventKind.REHEARSED, service, limit)
    return tuple(RecordedRehearsal(one.id, one.event.actor, _AS_DATA.validate_python(one.event.data)) for one in found)
