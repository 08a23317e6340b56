"""The record: nothing in its table can be changed without being found, and old lines keep their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, literal, select, text
from sqlalchemy.exc import DBAPIError

from tidegate.model.access import Access, Means
from tidegate.model.actor import SYSTEM, Actor, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.model.record_line import GENESIS, ChainCheck
from tidegate.store import events, record_queries, tables
from tidegate.store.database import Database, savepoint, sqlite_url
from tidegate.store.migrate import migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor(ActorKind.PERSON, "ada", Access(Means.BROWSER, "192.0.2.7", "01token"))
COLUMNS = (
    *("id", "at", "kind", "text", "actor_kind", "actor", "service", "run", "about", "data"),
    *("form", "access", "previous_hash", "hash"),
)
LINES = 8


def some_events() -> list[Event]:
    about = {"service": "shop", "run": "r1", "stage": "prod"}
    return [
        Event(EventKind.SERVER_STARTED, "the server started", {}),
        Event(EventKind.RUN_CREATED, "1a2b by Ada", about, SYSTEM, {"x": 1 / 3, "n": 0.0, "list": ["a", 1, None]}),
        Event(EventKind.APPROVAL_GIVEN, "ada approved é → 😀", about, ADA, {"comment": 'a "quoted" \\ line\n'}),
        Event(EventKind.RUN_HELD, "", {"service": "cart"}, ADA, {"nested": {"b": 1, "a": True}}),
    ] * (LINES // 4)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A record of a few lines; what is done to it is taken back."""
    database = Database(sqlite_url(tmp_path_factory.mktemp("chain") / "tidegate.sqlite3"), durable=False)
    migrate(database)
    with database.writing() as connection:
        for number, event in enumerate(some_events()):
            events.append(connection, [event], NOW + timedelta(seconds=number, microseconds=number % 2))
    yield database
    database.close()


def check(database: Database) -> ChainCheck:
    with database.reading() as connection:
        return events.check_chain(connection)


def test_the_record_is_whole_before_anybody_touches_it(chain: Database) -> None:
    assert check(chain) == ChainCheck(True, LINES, None)


values = (
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9) | st.binary(max_size=9) | st.floats(-1e9, 1e9)
)


@settings(max_examples=200, deadline=None)
@given(line=st.integers(1, LINES), column=st.sampled_from(COLUMNS), value=values)
def test_another_value_in_any_column_is_found(chain: Database, line: int, column: str, value: Any) -> None:
    _tamper(chain, line, column, "?", lambda _: value)


@settings(max_examples=200, deadline=None)
@given(
    line=st.integers(1, LINES),
    column=st.sampled_from(COLUMNS),
    place=st.integers(0, 500),
    flipped=st.integers(1, 255),
    kind=st.sampled_from(["TEXT", "TEXT", "BLOB"]),
)
def test_a_tampered_byte_in_any_column_is_found(
    chain: Database, line: int, column: str, place: int, flipped: int, kind: str
) -> None:
    def flip(before: bytes | None) -> bytes:
        bytes_of = bytearray(before or b"\0")
        bytes_of[place % len(bytes_of)] ^= flipped
        return bytes(bytes_of)

    _tamper(chain, line, column, f"CAST(? AS {kind})", flip)


@pytest.mark.parametrize("column", [one for one in COLUMNS if one not in ("id", "form", "access")])
def test_the_same_bytes_as_something_else_than_text_are_found(chain: Database, column: str) -> None:
    _tamper(chain, 2, column, "CAST(? AS BLOB)", lambda before: before)


def _tamper(chain: Database, line: int, column: str, how: str, changed: Callable[[bytes | None], Any]) -> None:
    """Change a value, look, and take the change back; what the table itself refuses, nobody can do."""
    with chain.reading() as connection:
        before = _stored(connection, line, column)
        value = changed(before[1] if before else None)
        try:
            connection.exec_driver_sql(f"UPDATE event SET {column} = {how} WHERE id = ?", (value, line))
        except (DBAPIError, OverflowError):
            return
        same = _stored(connection, line, column) == before
        found = events.check_chain(connection)
    assert found.ok == same, found
    assert same or column == "id" or found.first_bad == line


def _stored(connection: Connection, line: int, column: str) -> tuple[str, bytes] | None:
    query = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM event WHERE id = ?"
    row = connection.exec_driver_sql(query, (line,)).first()
    return None if row is None else (row[0], row[1])


def test_what_was_taken_back_is_no_line_that_others_follow(database: Database) -> None:
    one, two, three, *_ = some_events()
    with database.writing() as connection:
        events.append(connection, [one], NOW)
        with pytest.raises(RuntimeError), savepoint(connection):
            events.append(connection, [two, three], NOW)
            raise RuntimeError
        events.append(connection, [two], NOW)
    with pytest.raises(RuntimeError), database.writing() as connection:
        events.append(connection, [two, three], NOW)
        raise RuntimeError
    with database.writing() as connection:
        with savepoint(connection):
            events.append(connection, [three], NOW)
        events.append(connection, [one], NOW)
    with database.reading() as connection:
        assert [line.event.text for line in events.since(connection, 0)] == [
            each.text for each in (one, two, three, one)
        ]
    assert check(database).ok


def test_a_service_that_is_not_the_lines_own_is_found(database: Database) -> None:
    for column in ("service", "run"):
        with database.writing() as connection:
            connection.execute(text("DELETE FROM event"))
            events.append(connection, some_events(), NOW)
            connection.execute(text(f"UPDATE event SET {column} = 'other' WHERE id = 3"))
        assert check(database).first_bad == 3, column


def test_keys_of_a_document_in_another_order_are_found(database: Database) -> None:
    with database.writing() as connection:
        events.append(connection, [Event(EventKind.RUN_HELD, "x", {"run": "r", "service": "s"})], NOW)
        connection.execute(text('UPDATE event SET about = \'{"service":"s","run":"r"}\''))
    assert check(database).first_bad == 1


def test_lines_that_changed_places_are_found(database: Database) -> None:
    with database.writing() as connection:
        events.append(connection, some_events(), NOW)
        for change in ("id = -1 WHERE id = 4", "id = 4 WHERE id = 5", "id = 5 WHERE id = -1"):
            connection.execute(text(f"UPDATE event SET {change}"))
    assert check(database).first_bad == 4


def test_a_line_that_was_put_in_is_found(database: Database) -> None:
    with database.writing() as connection:
        events.append(connection, some_events(), NOW)
        others = [one for one in tables.event.c if one.name != "id"]
        copy = select(literal(0), *others).where(tables.event.c.id == 1)
        connection.execute(insert(tables.event).from_select(["id", *(one.name for one in others)], copy))
    assert check(database).first_bad == 0


@pytest.mark.parametrize("left", [0, 5])
def test_a_tail_that_was_cut_is_missed_where_the_head_is_known(database: Database, left: int) -> None:
    with database.writing() as connection:
        events.append(connection, some_events(), NOW)
        head = record_queries.head(connection)
        assert head is not None
        connection.execute(text("DELETE FROM event WHERE id > :left"), {"left": left})
    with database.reading() as connection:
        assert events.check_chain(connection).ok
        found = events.check_chain(connection, {head[0]: head[1]})
    assert (found.ok, found.first_bad) == (False, left + 1)


def test_a_tail_that_was_written_anew_is_found_where_the_head_is_known(database: Database) -> None:
    with database.writing() as connection:
        events.append(connection, some_events(), NOW)
        head = record_queries.head(connection)
        assert head is not None
    with database.writing() as connection:
        connection.execute(text("DELETE FROM event WHERE id > 6"))
        events.append(connection, [replace(one, text="nothing happened") for one in some_events()], NOW)
        found = events.check_chain(connection, {head[0]: head[1]})
        assert events.check_chain(connection).ok
    assert (found.ok, found.first_bad) == (False, head[0])


def test_from_where_a_person_acted_is_in_the_record(database: Database) -> None:
    with database.writing() as connection:
        events.append(connection, some_events(), NOW)
        found = events.since(connection, 0)
    assert [one.event.actor.access for one in found[:3]] == [None, None, ADA.access]
    assert found[2].event == some_events()[2]


def test_lines_of_the_first_form_keep_their_hashes_and_are_found_when_changed(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "tidegate.sqlite3"), durable=False)
    migrate(database)
    with database.writing() as connection:
        previous = GENESIS
        for number, event in enumerate(some_events(), start=1):
            previous = _append_in_first_form(connection, number, event, previous)
        events.append(connection, some_events(), NOW)
    assert check(database) == ChainCheck(True, 2 * LINES, None)
    for column, value in (
        ("service", "cart"),
        ("run", None),
        ("text", "nothing"),
        ("about", '{"service":"shop"}'),
        ("data", "[]"),
        ("at", "2026-03-01 12:00:00.000001"),
        ("access", "{}"),
        ("form", 2),
        ("form", 3),
    ):
        with database.writing() as connection:
            connection.execute(text("SAVEPOINT before_it"))
            connection.execute(text(f"UPDATE event SET {column} = :value WHERE id = 2"), {"value": value})
            found = events.check_chain(connection)
            connection.execute(text("ROLLBACK TO before_it"))
        assert found.first_bad == 2, column
    database.close()


def _append_in_first_form(connection: Any, number: int, event: Event, previous: str) -> str:
    """As the first version did."""
    row = {
        "id": number,
        "at": NOW,
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
    document = json.dumps({**row, "at": NOW.isoformat()}, sort_keys=True, ensure_ascii=False)
    row |= {"hash": hashlib.sha256(document.encode()).hexdigest(), "at": "2026-03-01 12:00:00.000000", "form": 1}
    row |= {name: json.dumps(row[name], ensure_ascii=False, separators=(",", ":")) for name in ("about", "data")}
    names = ", ".join(row)
    connection.execute(text(f"INSERT INTO event ({names}) VALUES ({', '.join(f':{one}' for one in row)})"), row)
    return str(row["hash"])
