"""The append-only record: each line holds the hash of the one before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime

from sqlalchemy import (
    Connection,
    DateTime,
    Integer,
    RowMapping,
    bindparam,
    column,
    func,
    insert,
    select,
    table,
    text,
)

from tidegate.model.access import Access
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.checkpoint import moment
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.record_line import FORM, GENESIS, ChainCheck, RecordLine, check_lines
from tidegate.store import record_lines, record_queries, tables
from tidegate.store.columns import Document
from tidegate.store.database import remembered

_HEAD = "the last line of the record"
_COLUMNS = [one.name for one in fields(RecordLine)]
_INSERT = insert(table("event", *(column(one, DateTime() if one == "at" else None) for one in _COLUMNS)))
"""Of texts as they are: their hash is made of exactly these."""

_ACCESS, _ABOUT, _DATA = Document(Access), Document(dict[str, str]), Document(dict[str, object])
_SINCE = (
    select(tables.event)
    .where(tables.event.c.id > bindparam("after"))
    .order_by(tables.event.c.id)
    .limit(bindparam("limit", type_=Integer))
)


def append(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    """Append events, in the transaction of the change that they tell."""
    if not events:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('event'))"))
    known = remembered(connection)
    number, previous = known.get(_HEAD) or record_queries.head(connection) or record_queries.BEFORE_FIRST
    rows = []
    for event in events:
        number += 1
        line = _line(number, now, event, previous)
        previous = line.hash
        row = {name: getattr(line, name) for name in _COLUMNS}
        rows.append({**row, "at": now.astimezone(UTC).replace(tzinfo=None)})
    connection.execute(_INSERT, rows)
    known[_HEAD] = (number, previous)


def of_run(connection: Connection, run: str, after: int = 0, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """A run's events after the given one, oldest first."""
    query = select(tables.event).where(tables.event.c.run == run, tables.event.c.id > after)
    return tuple(map(_recorded, connection.execute(query.order_by(tables.event.c.id).limit(limit)).mappings()))


def of_run_before(connection: Connection, run: str, before: int, kinds: Collection[EventKind]) -> tuple[Event, ...]:
    """A run's events of these kinds before the given one, oldest first."""
    c = tables.event.c
    query = select(tables.event).where(c.run == run, c.id < before, c.kind.in_([kind.value for kind in kinds]))
    return tuple(_recorded(row).event for row in connection.execute(query.order_by(c.id)).mappings())


def of_service(connection: Connection, service: str, after: int = 0, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """A service's events after the given one, oldest first."""
    query = select(tables.event).where(tables.event.c.service == service, tables.event.c.id > after)
    return tuple(map(_recorded, connection.execute(query.order_by(tables.event.c.id).limit(limit)).mappings()))


def newest(connection: Connection, kind: EventKind, service: str | None, limit: int) -> tuple[RecordedEvent, ...]:
    """The newest events of a kind, of one service or of all, newest first."""
    c = tables.event.c
    query = select(tables.event).where(c.kind == kind.value)
    query = query if service is None else query.where(c.service == service)
    return tuple(map(_recorded, connection.execute(query.order_by(c.id.desc()).limit(limit)).mappings()))


def newest_of(
    connection: Connection, kinds: Collection[EventKind], service: str, limit: int
) -> tuple[RecordedEvent, ...]:
    """The newest events of these kinds about a service, newest first."""
    c = tables.event.c
    query = select(tables.event).where(c.service == service, c.kind.in_([kind.value for kind in kinds]))
    return tuple(map(_recorded, connection.execute(query.order_by(c.id.desc()).limit(limit)).mappings()))


def any_of(connection: Connection, kinds: Collection[EventKind], after: int) -> bool:
    """Whether there are events of these kinds after the given one."""
    c = tables.event.c
    query = select(c.id).where(c.id > after, c.kind.in_([kind.value for kind in kinds])).limit(1)
    return connection.execute(query).first() is not None


def since(connection: Connection, after: int, limit: int = 1000) -> tuple[RecordedEvent, ...]:
    """All events after the given one, oldest first."""
    return tuple(map(_recorded, connection.execute(_SINCE, {"after": after, "limit": limit}).mappings()))


def numbered(connection: Connection, lines: Sequence[int]) -> tuple[RecordedEvent, ...]:
    """The events of these lines, oldest first."""
    query = select(tables.event).where(tables.event.c.id.in_(lines)).order_by(tables.event.c.id)
    return tuple(map(_recorded, connection.execute(query).mappings()))


def last_id(connection: Connection) -> int:
    """The id of the newest event, 0 where there is none."""
    return connection.execute(select(func.max(tables.event.c.id))).scalar() or 0


def check_chain(
    connection: Connection, known: Mapping[int, str] | None = None, after: int = 0, previous: str = GENESIS
) -> ChainCheck:
    """Recompute every hash, from the first event (or the one after `after`, whose hash is `previous`) to the last.

    `known` holds hashes that lines had earlier, by their number.
    """
    found = record_lines.lines(connection, after if after else None)
    return check_lines(found, known or {}, after, previous)


def _line(number: int, now: datetime, event: Event, previous: str) -> RecordLine:
    line = RecordLine(
        id=number,
        form=FORM,
        at=moment(now),
        kind=event.kind.value,
        text=event.text,
        actor_kind=event.actor.kind.value,
        actor=event.actor.name,
        access=_ACCESS.text_of(event.actor.access) if event.actor.access else None,
        service=event.about.get("service"),
        run=event.about.get("run"),
        about=_ABOUT.text_of(dict(event.about)),
        data=_DATA.text_of(dict(event.data)),
        previous_hash=previous,
        hash="",
    )
    return replace(line, hash=line.made_hash() or "")


def _recorded(row: RowMapping) -> RecordedEvent:
    actor = Actor(ActorKind(row["actor_kind"]), row["actor"], row["access"])
    event = Event(EventKind(row["kind"]), row["text"], row["about"], actor, row["data"])
    return RecordedEvent(row["id"], row["at"], event, row["previous_hash"], row["hash"])
