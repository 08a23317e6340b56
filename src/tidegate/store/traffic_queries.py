"""What is asked about the traffic of placements."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, or_, select

from tidegate.model.figures import Counters
from tidegate.model.ids import PlacementId
from tidegate.model.traffic import KEPT_FOR, Span, Traffic, TrafficReading, spans_of
from tidegate.store import rows, traffic_tables

_c = traffic_tables.traffic.c


def reading(connection: Connection, placement: PlacementId) -> TrafficReading | None:
    """What the router had counted at the last look."""
    return rows.find(connection, TrafficReading, placement=placement)


def note(connection: Connection, seen: TrafficReading, before: TrafficReading, counted: Counters) -> None:
    """Add what was counted between two looks to the rows that it belongs to."""
    found = {}
    for span, begin in spans_of(seen, before):
        known = rows.find(connection, Traffic, placement=seen.placement, span=span, begin=begin)
        found[span] = (known or Traffic(seen.placement, span, begin, 0, 0)).with_more(counted)
    if Span.MINUTE in found:
        found[Span.HOUR] = found[Span.HOUR].with_minute(found[Span.MINUTE])
    for one in found.values():
        rows.put(connection, one)


def busiest_minute(connection: Connection, placement: PlacementId, begin: datetime) -> int | None:
    """The requests of the placement's busiest minute from then on; None where no request was counted.

    Hours from before minutes were kept with them count as if their requests had come evenly.
    """
    hours = since(connection, placement, Span.HOUR, begin)
    return max((max(one.busiest, -(-one.requests // 60)) for one in hours), default=0) or None


def since(connection: Connection, placement: PlacementId, span: Span, begin: datetime) -> tuple[Traffic, ...]:
    """A placement's rows of a span from then on, oldest first."""
    where = (_c.placement == placement, _c.span == span, _c.begin >= begin)
    return rows.every(connection, Traffic, *where, order_by=_c.begin)


def first_minute(connection: Connection, hour: Traffic) -> datetime | None:
    """The first minute that is known of an hour; None where its minutes are not kept any more, or never were."""
    inside = and_(_c.begin >= hour.begin, _c.begin < hour.begin + timedelta(hours=1))
    found = rows.every(
        connection, Traffic, _c.placement == hour.placement, _c.span == Span.MINUTE, inside, order_by=_c.begin
    )
    return found[0].begin if found else None


def counted_since(connection: Connection, placement: PlacementId, begin: datetime) -> tuple[int, int] | None:
    """Requests and errors of a placement from then on; None where nothing was counted.

    What is left of the hour in which that was counts by its minutes, as long as those are kept.
    """
    hour = begin.replace(minute=0, second=0, microsecond=0)
    first = hour if hour == begin else hour + timedelta(hours=1)
    hours = and_(_c.span == Span.HOUR, _c.begin >= first)
    minutes = and_(_c.span == Span.MINUTE, _c.begin > begin, _c.begin < first)
    query = select(func.sum(_c.requests), func.sum(_c.errors))
    requests, errors = connection.execute(query.where(_c.placement == placement, or_(hours, minutes))).one()
    return (int(requests), int(errors)) if requests else None


def forget_old(connection: Connection, now: datetime) -> None:
    """Forget the rows that are kept no longer."""
    for span, kept in KEPT_FOR.items():
        connection.execute(delete(traffic_tables.traffic).where(_c.span == span, _c.begin < now - kept))
