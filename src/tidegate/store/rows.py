"""Rows and the model's values: a table's columns are the fields of the value that it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import NULLTYPE

from tidegate.model.agent import Agent
from tidegate.model.approval import Approval
from tidegate.model.authorship import AuthorAddress, AuthorKey
from tidegate.model.break_glass import BreakGlass
from tidegate.model.channel import NotificationCursor
from tidegate.model.checkpoint import Checkpoint, RecordKey
from tidegate.model.delegation import Delegation
from tidegate.model.deployment import Deployment
from tidegate.model.drill import Drill
from tidegate.model.effect import Effect
from tidegate.model.evidence_view import EvidenceView
from tidegate.model.external import ExternalQuestion
from tidegate.model.flaky import TestOutcome
from tidegate.model.freeze import Freeze
from tidegate.model.freeze_turns import BegunFreeze
from tidegate.model.incident import Incident
from tidegate.model.metric import MetricReading
from tidegate.model.metric_history import HistoryHour
from tidegate.model.people import AccessToken, Account, RoleGrant, Team
from tidegate.model.placement import Placement
from tidegate.model.provider_person import ProviderAccount
from tidegate.model.quarantine import TestQuarantine
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.sign_in import BrowserSession, OneTimeLink, Password
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_run import StepRun
from tidegate.model.traffic import Traffic, TrafficReading
from tidegate.model.train import TrainRun
from tidegate.store import (
    drill_tables,
    evidence_tables,
    gate_tables,
    incident_tables,
    metric_tables,
    notification_tables,
    people_tables,
    record_tables,
    sign_in_tables,
    tables,
    time_tables,
    traffic_tables,
    train_tables,
)
from tidegate.store.columns import Document, Utc, Word

Value = TypeVar("Value")
Other = TypeVar("Other")

TABLES: dict[type, Table] = {
    Service: tables.service,
    Run: tables.run,
    StageRun: tables.stage_run,
    StepRun: tables.step_run,
    CachedResult: tables.cached_result,
    TestOutcome: tables.test_outcome,
    TestQuarantine: tables.test_quarantine,
    Agent: tables.agent,
    Account: people_tables.account,
    Team: people_tables.team,
    RoleGrant: people_tables.role_grant,
    AccessToken: people_tables.access_token,
    Password: sign_in_tables.password,
    OneTimeLink: sign_in_tables.one_time_link,
    BrowserSession: sign_in_tables.browser_session,
    ProviderAccount: sign_in_tables.provider_account,
    Release: tables.release,
    Approval: tables.approval,
    BreakGlass: gate_tables.break_glass,
    Delegation: gate_tables.delegation,
    AuthorAddress: gate_tables.author_address,
    AuthorKey: gate_tables.author_key,
    EvidenceView: evidence_tables.evidence_view,
    Freeze: time_tables.freeze,
    BegunFreeze: time_tables.begun_freeze,
    ExternalQuestion: time_tables.external_question,
    Deployment: tables.deployment,
    Placement: tables.placement,
    Rollout: tables.rollout,
    TrainRun: train_tables.train_run,
    Traffic: traffic_tables.traffic,
    TrafficReading: traffic_tables.traffic_reading,
    Effect: tables.effect,
    Incident: incident_tables.incident,
    Drill: drill_tables.drill,
    MetricReading: metric_tables.metric_reading,
    HistoryHour: metric_tables.metric_history,
    Checkpoint: record_tables.checkpoint,
    RecordKey: record_tables.record_key,
    NotificationCursor: notification_tables.notification_cursor,
}
KEPT_ROWS: dict[type, int] = {StepRun: 2048}
"""How many values of a kind are kept as they were read, if not KEPT_ROWS_ELSE: all steps of a run are read whenever one
of them changes."""

KEPT_ROWS_ELSE = 64

_READ_LATE = (Utc, Word, Document)
"""What takes longest to read: only of rows that were not read before."""

_FIELDS = {table: tuple(field.name for field in fields(cls)) for cls, table in TABLES.items()}


def put(connection: Connection, value: object) -> None:
    """Write a value: a new row, or all fields of the one that is there."""
    table = TABLES[type(value)]
    row = {name: getattr(value, name) for name in _FIELDS[table]}
    connection.execute(_upsert(table, connection.dialect.name), row)


def drop(connection: Connection, value: object) -> None:
    """Delete the row that holds the value."""
    table = TABLES[type(value)]
    connection.execute(delete(table).where(*(column == getattr(value, column.name) for column in table.primary_key)))


def find(connection: Connection, cls: type[Value], **equal: object) -> Value | None:
    """The one value whose columns equal these, None where there is none."""
    row = connection.execute(_equal(TABLES[cls], tuple(equal)), equal).first()
    return None if row is None else _reader(cls, connection.dialect).value(row)


def every_equal(connection: Connection, cls: type[Value], **equal: object) -> tuple[Value, ...]:
    """All values whose columns equal these, in the order of the primary key."""
    return read(connection, cls, _equal(TABLES[cls], tuple(equal)), equal)


def every(
    connection: Connection,
    cls: type[Value],
    *where: ColumnElement[bool],
    order_by: ColumnElement[Any] | None = None,
    limit: int | None = None,
) -> tuple[Value, ...]:
    """All values that fit, in the order of `order_by` (else of the primary key)."""
    query = whole(cls).where(*where)
    query = query.order_by(order_by) if order_by is not None else query.order_by(*TABLES[cls].primary_key)
    if limit is not None:
        query = query.limit(limit)
    return read(connection, cls, query, {})


def read(
    connection: Connection, cls: type[Value], query: Select[Any], given: Mapping[str, object]
) -> tuple[Value, ...]:
    """The values that a query made of `whole` finds."""
    return _reader(cls, connection.dialect).values(connection.execute(query, given).all())


def find_two(
    connection: Connection, first: type[Value], second: type[Other], query: Select[Any], given: Mapping[str, object]
) -> tuple[Value, Other] | tuple[None, None]:
    """The two values in the first row that a query made of `whole` finds, None and None where it finds nothing."""
    row = connection.execute(query, given).first()
    if row is None:
        return None, None
    held, width = tuple(row), len(_FIELDS[TABLES[first]])
    of_first, of_second = _reader(first, connection.dialect), _reader(second, connection.dialect)
    return of_first.value(held[:width]), of_second.value(held[width:])


def whole(*classes: type) -> Select[Any]:
    """A query for all fields of a value, or of several, as the database holds them: `read` makes values of what it
    finds."""
    return _whole(*(TABLES[cls] for cls in classes))


@cache
def _whole(*of: Table) -> Select[Any]:
    columns = [table.c[name] for table in of for name in _FIELDS[table]]
    held: list[ColumnElement[Any]] = [
        type_coerce(one, NULLTYPE) if isinstance(one.type, _READ_LATE) else one for one in columns
    ]
    return select(*held)


class _Reader(Generic[Value]):
    """Makes values of rows. A row that was read before, and is as it was, is the same value again."""

    def __init__(self, cls: type[Value], dialect: Dialect) -> None:
        types = enumerate(TABLES[cls].c[name].type for name in _FIELDS[TABLES[cls]])
        late = ((place, one.dialect_impl(dialect)) for place, one in types if isinstance(one, _READ_LATE))
        processors = ((place, one.result_processor(dialect, None)) for place, one in late)
        self._late = tuple((place, read) for place, read in processors if read)
        self._cls = cls
        self._kept = lru_cache(KEPT_ROWS.get(cls, KEPT_ROWS_ELSE))(self._made)

    def value(self, row: Sequence[Any]) -> Value:
        """The value that a row holds."""
        return self._kept(tuple(row))

    def values(self, found: Iterable[Row[Any]]) -> tuple[Value, ...]:
        """The values that rows hold."""
        return tuple(map(self._kept, map(tuple, found)))

    def _made(self, held: tuple[Any, ...]) -> Value:
        row = list(held)
        for place, read in self._late:
            row[place] = read(row[place])
        return self._cls(*row)


_READERS: dict[tuple[type, str], _Reader[Any]] = {}


def _reader(cls: type[Value], dialect: Dialect) -> _Reader[Value]:
    found = _READERS.get((cls, dialect.name))
    return found or _READERS.setdefault((cls, dialect.name), _Reader(cls, dialect))


@cache
def _equal(table: Table, names: tuple[str, ...]) -> Select[Any]:
    """Made once: most of the time of a short query would be the making of its statement."""
    narrowed = _whole(table).where(*(table.c[name] == bindparam(name, type_=table.c[name].type) for name in names))
    return narrowed.order_by(*table.primary_key)


@cache
def _upsert(table: Table, dialect: str) -> Executable:
    keys = [column.name for column in table.primary_key]
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    others = {name: statement.excluded[name] for name in _FIELDS[table] if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)
