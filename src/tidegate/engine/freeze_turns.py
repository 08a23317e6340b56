"""Telling that freezes begin and end when their time comes."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.freeze_turns import FreezeTurns, turns_of
from tidegate.store import events, rows, time_queries

_LOCK = "freezes"


def tell_freezes(parts: Parts) -> None:
    """Record the beginnings and the ends that are not told yet, in one transaction; of several servers one does."""
    with parts.database.reading() as connection:
        if _turns(connection, parts) == FreezeTurns():
            return
    with parts.database.writing() as connection:
        parts.database.lock_service(connection, _LOCK)
        turns = _turns(connection, parts)
        for one in turns.over:
            rows.drop(connection, one)
        for one in turns.begun:
            rows.put(connection, one)
        events.append(connection, turns.events, parts.clock.now())


def _turns(connection: Connection, parts: Parts) -> FreezeTurns:
    now = parts.clock.now()
    begun = time_queries.begun_freezes(connection)
    configured = [freeze for one in parts.environments.values() for freeze in one.freezes]
    open_ones = time_queries.freezes(connection, now)
    ended = [found for one in begun if (found := time_queries.freeze(connection, one.freeze))]
    return turns_of((*configured, *open_ones, *ended), begun, now)
