"""What is remembered of a placement's figures from one rollout to the next: how they vary, and with the time of day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.figures import Batch, Counters
from tidegate.model.ids import PlacementId
from tidegate.model.metric import Counted, Figures, HistoryBatch, MetricSeries, Spread

ERRORS, LATENCY = "errors", "latency"
"""The metrics of the router."""

KEPT_FOR = timedelta(days=35)
"""Five of each weekday."""

MOST_BATCHES = 60
"""Of one metric in one hour; of more, so many are kept, evenly spread."""

MOST_TO_LEARN_FROM = 200
"""Batches of a metric that a judge is given."""


@dataclass(frozen=True, slots=True)
class HistoryHour:
    """What a metric showed in one hour (`hour` is its begin), batch by batch."""

    placement: PlacementId
    metric: str
    hour: datetime
    batches: tuple[HistoryBatch, ...]

    def with_more(self, batches: Iterable[HistoryBatch]) -> HistoryHour:
        """The hour with batches of another rollout, too; those that it has already count once."""
        known = {one.begin: one for one in (*self.batches, *batches)}
        ordered = [known[begin] for begin in sorted(known)]
        return HistoryHour(self.placement, self.metric, self.hour, thinned(ordered))


def history_of(
    placement: PlacementId, batches: Sequence[Batch], series: Sequence[MetricSeries]
) -> tuple[HistoryHour, ...]:
    """What to remember of a rollout that succeeded and was watched to its end.

    While the old deployment had traffic its figures are remembered, later those of the new one, which was found good.
    """
    found: dict[tuple[str, datetime], list[HistoryBatch]] = defaultdict(list)

    def remember(metric: str, begin: datetime, end: datetime, figures: Figures | None) -> None:
        if figures is not None and end > begin:
            hour = begin.replace(minute=0, second=0, microsecond=0)
            found[metric, hour].append(HistoryBatch(begin, (end - begin).total_seconds(), figures))

    for batch in batches:
        served = _served(batch)
        if served:
            remember(ERRORS, batch.begin, batch.end, Counted(served.errors, served.requests))
            if sum(served.latency):
                remember(LATENCY, batch.begin, batch.end, Spread(served.edges, served.latency))
    for one in series:
        for reading in one.readings:
            remember(one.rule.name, reading.begin, reading.end, reading.baseline or reading.canary)
    return tuple(
        HistoryHour(placement, metric, hour, thinned(sorted(batches_there, key=lambda batch: batch.begin)))
        for (metric, hour), batches_there in found.items()
    )


def _served(batch: Batch) -> Counters | None:
    """The figures of the old deployment while it had requests, else of the new one; None where nobody had any."""
    return next((one for one in (batch.baseline, batch.canary) if one and one.requests), None)


def thinned(batches: Sequence[HistoryBatch], most: int = MOST_BATCHES) -> tuple[HistoryBatch, ...]:
    """At most so many of them, evenly spread. They are left out and not added up: a judge wants to see them vary."""
    if len(batches) <= most:
        return tuple(batches)
    return tuple(batches[index * len(batches) // most] for index in range(most))


def latest(hours: Sequence[HistoryHour], before: datetime) -> tuple[HistoryBatch, ...]:
    """The latest batches that were over by then, oldest first: as many as show how a metric varies."""
    found = (batch for hour in hours for batch in hour.batches)
    over = [one for one in found if one.begin + timedelta(seconds=one.seconds) <= before]
    return tuple(sorted(over, key=lambda one: one.begin)[-MOST_TO_LEARN_FROM:])
