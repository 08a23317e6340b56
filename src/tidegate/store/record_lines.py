"""Lines of the record as the database holds them, byte for byte: what their hashes are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from tidegate.model.record_line import BrokenLine, RecordLine

_PAGE = 2000
_TEXTS = ("at", "kind", "text", "actor_kind", "actor", "access", "service", "run", "about", "data")
_HASHES = ("previous_hash", "hash")
_MAY_BE_NULL = ("access", "service", "run")
_TIME_LENGTH = len("2026-01-01 00:00:00.000000")
_RANGE = "FROM event WHERE id > :after AND id <= :last ORDER BY id"
_LEAST, _MOST = -(2**63), 2**63 - 1


def lines(
    connection: Connection, after: int | None = None, last: int | None = None
) -> Iterator[RecordLine | BrokenLine]:
    """The lines after one and up to another, in order; without these from the first to the last there is.

    No page of them is held longer than it is looked at.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    query = _SQLITE if is_sqlite else _POSTGRES
    given = {"after": _LEAST if after is None else after, "last": _MOST if last is None else last}
    read = _of_bytes if is_sqlite else _of_texts
    with connection.execution_options(yield_per=_PAGE).execute(query, given) as found:
        for row in found:
            yield read(row)


def _of_texts(row: Row[Any]) -> RecordLine | BrokenLine:
    number, form, at, *others = tuple(row)
    return RecordLine(number, form, _moment(at), *others)


def _of_bytes(row: Row[Any]) -> RecordLine | BrokenLine:
    """SQLite keeps in a column what it is given: numbers or bytes in place of text, and text that is no UTF-8."""
    number, form, types, *columns = tuple(row)
    if types not in _TYPES:
        return BrokenLine(number)
    try:
        at, *others = [None if one is None else one.decode() for one in columns]
    except UnicodeDecodeError:
        return BrokenLine(number)
    return RecordLine(number, form, _moment(at or ""), *others)  # type: ignore[arg-type]  # the types were looked at


def _moment(at: str) -> str:
    """A stored time as the record writes it. What is no stored time stays as it is, and fits no hash."""
    if len(at) == _TIME_LENGTH and at[10] == " ":
        return f"{at[:10]}T{at[11:]}Z"
    return at + "?"


def _sqlite_query() -> str:
    columns = (*_TEXTS, *_HASHES)
    types = " || ' ' || ".join(f"typeof({one})" for one in ("form", *columns))
    bytes_of = ", ".join(f"CAST({one} AS BLOB)" for one in columns)
    return f"SELECT id, CASE typeof(form) WHEN 'integer' THEN form END, {types}, {bytes_of} {_RANGE}"


def _allowed_types() -> frozenset[str]:
    """The types that a line's columns may have in SQLite, in the order of the query."""
    found = ["integer"]
    for one in (*_TEXTS, *_HASHES):
        kinds = ("text", "null") if one in _MAY_BE_NULL else ("text",)
        found = [f"{before} {kind}" for before in found for kind in kinds]
    return frozenset(found)


_TYPES = _allowed_types()
_SQLITE = text(_sqlite_query())
_POSTGRES = text(
    "SELECT id, form, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'), kind, text, actor_kind, actor, access, service, run, "
    f"about, data, previous_hash, hash {_RANGE}"
)
