"""What an auditor's evidence is gathered from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, func, or_, select

from tidegate.model.event import RecordedEvent
from tidegate.model.ids import ReleaseId
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutKind
from tidegate.model.run import Run
from tidegate.store import events, rows, tables

_AT_ONCE = 500


def lines_between(
    connection: Connection, service: str, since: datetime | None, until: datetime | None
) -> tuple[int, int] | None:
    """The first and the last line of a service from `since` on and before `until`; None where there is none."""
    c = tables.event.c
    query = select(func.min(c.id), func.max(c.id)).where(c.service == service)
    if since:
        query = query.where(c.at >= since)
    if until:
        query = query.where(c.at < until)
    first, last = connection.execute(query).one()
    return None if first is None else (first, last)


def events_of_lines(connection: Connection, lines: Iterable[int]) -> Iterator[RecordedEvent]:
    """The events of these lines, in the order of the lines; few are held at a time."""
    left = iter(lines)
    while some := list(islice(left, _AT_ONCE)):
        yield from events.numbered(connection, some)


def releases_by_run(connection: Connection, service: str) -> dict[str, str]:
    """Which release each run of a service is about."""
    c = tables.run.c
    query = select(c.id, c.release).where(c.service == service, c.release.is_not(None))
    return {row.id: row.release for row in connection.execute(query)}


def releases_by_deployment(connection: Connection, service: str) -> dict[str, str]:
    """Which release each deployment of a service is of."""
    c = tables.deployment.c
    query = select(c.id, c.release).join(tables.release, tables.release.c.id == c.release)
    found = connection.execute(query.where(tables.release.c.service == service))
    return {row.id: row.release for row in found}


def ends_of_rollouts(connection: Connection, service: str) -> dict[str, tuple[RolloutKind, str | None, str | None]]:
    """What kind each rollout of a service is, to which deployment and from which."""
    c, placement = tables.rollout.c, tables.placement.c
    query = select(c.id, c.kind, c.new, c.old).join(tables.placement, placement.id == c.placement)
    found = connection.execute(query.where(placement.service == service))
    return {rollout: (kind, new, old) for rollout, kind, new, old in found}


def runs_of_release(connection: Connection, release: ReleaseId) -> tuple[Run, ...]:
    """Every passage of a release through the pipeline, oldest first."""
    return rows.every(connection, Run, tables.run.c.release == release)


def rollouts_of_release(connection: Connection, release: Release) -> tuple[Rollout, ...]:
    """The rollouts of a release and the rollbacks from it or to it, oldest first."""
    deployment, c = tables.deployment.c, tables.rollout.c
    own = select(deployment.id).where(deployment.release == release.id)
    back = (c.kind == RolloutKind.ROLLBACK) & c.old.in_(own)
    return rows.every(connection, Rollout, or_(c.new.in_(own), back), order_by=c.began_at)
