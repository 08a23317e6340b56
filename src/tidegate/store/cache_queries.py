"""What the cache of steps' results keeps, and which bytes anything refers to."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Connection, Text, func, or_, select, type_coerce, update

from tidegate.model.ids import Digest
from tidegate.model.run import RunStatus
from tidegate.model.step_cache import CachedResult
from tidegate.store import rows, tables

_OPEN = (RunStatus.RUNNING, RunStatus.WAITING)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def cached_result(connection: Connection, key: str | None) -> CachedResult | None:
    """What is kept under a key."""
    return rows.find(connection, CachedResult, key=key) if key else None


def unused_longest(connection: Connection, limit: int = 100) -> tuple[CachedResult, ...]:
    """What was not used for longest, first."""
    return rows.every(connection, CachedResult, order_by=tables.cached_result.c.used_at.asc(), limit=limit)


def cached_bytes(connection: Connection) -> int:
    """How many bytes are kept for no other reason than the cache."""
    return int(connection.execute(select(func.coalesce(func.sum(tables.cached_result.c.size), 0))).scalar_one())


def note_use(connection: Connection, key: str, now: datetime) -> None:
    """A kept result was used just now."""
    c = tables.cached_result.c
    connection.execute(update(tables.cached_result).where(c.key == key).values(used_at=now))


def digests_in_use(connection: Connection, ended_after: datetime) -> frozenset[Digest]:
    """The bytes that a kept result, a release, or a run that is open or ended after that time refers to.

    Whatever looks like a digest in these documents counts, so that a new field of theirs is not forgotten here.
    """
    run, step = tables.run.c, tables.step_run.c
    documents = (
        select(type_coerce(tables.cached_result.c.report, Text)),
        select(type_coerce(tables.release.c.artifacts, Text)),
        select(type_coerce(step.report, Text))
        .join(tables.run, run.id == step.run)
        .where(step.report.is_not(None), or_(run.status.in_(_OPEN), run.ended_at > ended_after)),
    )
    found: set[Digest] = set()
    for query in documents:
        for text in connection.execute(query.execution_options(yield_per=1000)).scalars():
            found.update(Digest(one) for one in _DIGEST.findall(text))
    return frozenset(found)
