"""Rows and the model's values: a table's columns are the fields of the value that it holds."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Select, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.model.agent import Agent
from tidegate.model.approval import Approval
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Effect
from tidegate.model.flaky import TestOutcome
from tidegate.model.people import AccessToken, Account, RoleGrant, Team
from tidegate.model.placement import Placement
from tidegate.model.quarantine import TestQuarantine
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_run import StepRun
from tidegate.store import tables

Value = TypeVar("Value")

TABLES: dict[type, Table] = {
    Service: tables.service,
    Run: tables.run,
    StageRun: tables.stage_run,
    StepRun: tables.step_run,
    CachedResult: tables.cached_result,
    TestOutcome: tables.test_outcome,
    TestQuarantine: tables.test_quarantine,
    Agent: tables.agent,
    Account: tables.account,
    Team: tables.team,
    RoleGrant: tables.role_grant,
    AccessToken: tables.access_token,
    Release: tables.release,
    Approval: tables.approval,
    Deployment: tables.deployment,
    Placement: tables.placement,
    Rollout: tables.rollout,
    Effect: tables.effect,
}
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
    return None if row is None else cls(*row)


def every_equal(connection: Connection, cls: type[Value], **equal: object) -> tuple[Value, ...]:
    """All values whose columns equal these, in the order of the primary key."""
    return tuple(cls(*row) for row in connection.execute(_equal(TABLES[cls], tuple(equal)), equal))


def every(
    connection: Connection,
    cls: type[Value],
    *where: ColumnElement[bool],
    order_by: ColumnElement[Any] | None = None,
    limit: int | None = None,
) -> tuple[Value, ...]:
    """All values that fit, in the order of `order_by` (else of the primary key)."""
    query = _whole(TABLES[cls]).where(*where)
    query = query.order_by(order_by) if order_by is not None else query.order_by(*TABLES[cls].primary_key)
    if limit is not None:
        query = query.limit(limit)
    return tuple(cls(*row) for row in connection.execute(query))


@cache
def _whole(table: Table) -> Select[Any]:
    """A query for all fields of a value, in their order."""
    return select(*(table.c[name] for name in _FIELDS[table]))


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
