"""A placement's traffic: what the router counted there, by minutes and by hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId


class Span(StrEnum):
    """How long one row of traffic is."""

    MINUTE = "minute"
    HOUR = "hour"


KEPT_FOR = {Span.MINUTE: timedelta(hours=7), Span.HOUR: timedelta(days=35)}
"""What the longest window of an alert asks of minutes; and of hours, five of each weekday."""

LOOKS_APART_AT_MOST = timedelta(minutes=2)
"""What was counted in a longer time belongs to no minute, only to the hour in which it was noticed."""


A_WEEK = timedelta(days=7)
"""What is foretold, is so from this much."""

LEAST_TO_FORETELL = 100
"""Of fewer requests in a week nothing is said of what a rollout can show."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to a placement from `begin` on, whatever deployment had them; `latency` as in `Counters`."""

    placement: PlacementId
    span: Span
    begin: datetime
    requests: int
    errors: int
    edges: tuple[float, ...] = ()
    latency: tuple[int, ...] = ()
    busiest: int = 0
    """The requests of its busiest minute; of an hour that no minute is known of, 0."""

    def with_more(self, counted: Counters) -> Traffic:
        """The same with what was counted besides. Latencies of other buckets cannot be added: the newer ones stay."""
        added = counted.latency
        if added and self.latency and self.edges == counted.edges:
            added = tuple(one + other for one, other in zip(self.latency, added, strict=True))
        return replace(
            self,
            requests=self.requests + counted.requests,
            errors=self.errors + counted.errors,
            edges=counted.edges if added else self.edges,
            latency=added or self.latency,
        )

    def with_minute(self, minute: Traffic) -> Traffic:
        """The same hour, which one of its minutes was this."""
        return replace(self, busiest=max(self.busiest, minute.requests))


@dataclass(frozen=True, slots=True)
class TrafficReading:
    """What the router had counted for each deployment of a placement when it was last looked at."""

    placement: PlacementId
    at: datetime
    deployments: Mapping[DeploymentId, Counters]
    burning_since: datetime | None = None
    """Since when the placement's error budget burns fast."""

    def counted_since(self, before: TrafficReading) -> Counters:
        """What all deployments together were asked after `before`.

        A deployment that was not there began at zero, and so did one whose counters went backwards (the router was
        started again): what was counted in between is not known, and is left out.
        """
        total = Counters(0, 0)
        for name, now in self.deployments.items():
            then = before.deployments.get(name)
            total = _sum(total, (now.since(then) if then else now) or now)
        return total


def minutes_since_first(hours: Sequence[Traffic], now: datetime, first_minute: datetime | None = None) -> float:
    """The minutes that these rows, of which there is at least one, are about; at least one.

    A placement that was counted from the middle of an hour on did nothing before: `first_minute` is the first that is
    known of its first hour, None where none is.
    """
    return max((now - (first_minute or hours[0].begin)) / timedelta(minutes=1), 1.0)


def spans_of(reading: TrafficReading, before: TrafficReading) -> tuple[tuple[Span, datetime], ...]:
    """The rows, by span and begin, to which belongs what was counted between two looks."""
    minute = reading.at.replace(second=0, microsecond=0)
    hour = (Span.HOUR, minute.replace(minute=0))
    near = timedelta(0) <= reading.at - before.at <= LOOKS_APART_AT_MOST
    return (hour, (Span.MINUTE, minute)) if near else (hour,)


def _sum(one: Counters, other: Counters) -> Counters:
    is_same = one.edges == other.edges and one.latency
    latency = tuple(map(sum, zip(one.latency, other.latency, strict=True))) if is_same else other.latency or one.latency
    return Counters(
        requests=one.requests + other.requests,
        errors=one.errors + other.errors,
        edges=other.edges or one.edges,
        latency=latency,
    )
