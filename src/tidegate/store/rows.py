"""Rows and the model's values: a table's columns are the fields of the value that it holds."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.model.approval import Approval
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Effect
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.step_run import StepRun
from tidegate.store import tables

Value = TypeVar("Value")

TABLES: dict[type, Table] = {
    Service: tables.service,
    Run: tables.run,
    StageRun: tables.stage_run,
    StepRun: tables.step_run,
    Release: tables.release,
    Approval: tables.approval,
    Deployment: tables.deployment,
    Placement: tables.placement,
    Rollout: tables.rollout,
    Effect: tables.effect,
}
_FIELDS = {cls: tuple(field.name for field in fields(cls)) for cls in TABLES}


def put(connection: Connection, value: object) -> None:
    """Write a value: a new row, or all fields of the one that is there."""
    table = TABLES[type(value)]
    row = {name: getattr(value, name) for name in _FIELDS[type(value)]}
    keys = [column.name for column in table.primary_key]
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(row)
    others = {name: statement.excluded[name] for name in row if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others))


def drop(connection: Connection, value: object) -> None:
    """Delete the row that holds the value."""
    table = TABLES[type(value)]
    connection.execute(delete(table).where(*(column == getattr(value, column.name) for column in table.primary_key)))


def find(connection: Connection, cls: type[Value], *where: ColumnElement[bool]) -> Value | None:
    """The one value that fits, None where there is none."""
    row = connection.execute(select(TABLES[cls]).where(*where).limit(1)).mappings().first()
    return None if row is None else cls(**cast(dict[str, Any], dict(row)))


def every(
    connection: Connection,
    cls: type[Value],
    *where: ColumnElement[bool],
    order_by: ColumnElement[Any] | None = None,
    limit: int | None = None,
) -> tuple[Value, ...]:
    """All values that fit, in the order of `order_by` (else of the primary key)."""
    table = TABLES[cls]
    query = select(table).where(*where)
    query = query.order_by(order_by) if order_by is not None else query.order_by(*table.primary_key)
    if limit is not None:
        query = query.limit(limit)
    return tuple(cls(**cast(dict[str, Any], dict(row))) for row in connection.execute(query).mappings())
