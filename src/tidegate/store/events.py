"""The append-only record: each line holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Integer, RowMapping, bindparam, func, insert, select, text

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.store import tables

GENESIS = "0" * 64
_PAGE = 1000
_LAST = select(tables.event.c.id, tables.event.c.hash).order_by(tables.event.c.id.desc()).limit(1)
_INSERT = insert(tables.event)
_SINCE = (
    select(tables.event)
    .where(tables.event.c.id > bindparam("after"))
    .order_by(tables.event.c.id)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """Whether the record is whole: how many events it has, and the id of the first that does not fit."""

    ok: bool
    events: int
    first_bad: int | None


def append(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    """Append events, in the transaction of the change that they tell."""
    if not events:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('event'))"))
    last = connection.execute(_LAST).first()
    number, previous = (last.id, last.hash) if last else (0, GENESIS)
    rows = []
    for event in events:
        number += 1
        row = _row(number, now, event, previous)
        previous = row["hash"]
        rows.append(row)
    connection.execute(_INSERT, rows)


def of_run(connection: Connection, run: str, after: int = 0, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """A run's events after the given one, oldest first."""
    query = select(tables.event).where(tables.event.c.run == run, tables.event.c.id > after)
    return tuple(map(_recorded, connection.execute(query.order_by(tables.event.c.id).limit(limit)).mappings()))


def of_service(connection: Connection, service: str, after: int = 0, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """A service's events after the given one, oldest first."""
    query = select(tables.event).where(tables.event.c.service == service, tables.event.c.id > after)
    return tuple(map(_recorded, connection.execute(query.order_by(tables.event.c.id).limit(limit)).mappings()))


def since(connection: Connection, after: int, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """All events after the given one, oldest first."""
    return tuple(map(_recorded, connection.execute(_SINCE, {"after": after, "limit": limit}).mappings()))


def last_id(connection: Connection) -> int:
    """The id of the newest event, 0 where there is none."""
    return connection.execute(select(func.max(tables.event.c.id))).scalar() or 0


def check_chain(connection: Connection) -> ChainCheck:
    """Recompute every hash, from the first event to the last."""
    count, previous = 0, GENESIS
    for recorded in _all(connection):
        count += 1
        row = _row(recorded.id, recorded.at, recorded.event, previous)
        if recorded.id != count or recorded.previous_hash != previous or row["hash"] != recorded.hash:
            return ChainCheck(False, count, recorded.id)
        previous = recorded.hash
    return ChainCheck(True, count, None)


def _all(connection: Connection) -> Iterator[RecordedEvent]:
    after = 0
    while page := since(connection, after, _PAGE):
        yield from page
        after = page[-1].id


def _row(number: int, now: datetime, event: Event, previous: str) -> dict[str, object]:
    row: dict[str, object] = {
        "id": number,
        "at": now,
        "kind": event.kind.value,
        "text": event.text,
        "actor_kind": event.actor.kind.value,
        "actor": event.actor.name,
        "service": event.about.get("service"),
        "run": event.about.get("run"),
        "about": dict(event.about),
        "data": dict(event.data),
        "previous_hash": previous,
    }
    document = json.dumps({**row, "at": now.astimezone(UTC).isoformat()}, sort_keys=True, ensure_ascii=False)
    row["hash"] = hashlib.sha256(document.encode()).hexdigest()
    return row


def _recorded(row: RowMapping) -> RecordedEvent:
    actor = Actor(ActorKind(row["actor_kind"]), row["actor"])
    event = Event(EventKind(row["kind"]), row["text"], row["about"], actor, row["data"])
    return RecordedEvent(row["id"], row["at"], event, row["previous_hash"], row["hash"])
