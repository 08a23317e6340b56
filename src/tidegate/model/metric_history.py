"""What is remembered of a placement's figures from one rollout to the next: how they vary, and with the time of day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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

STRETCH = 20
"""Of so many batches after one another all are kept or none: in single ones a burst of minutes could not be seen."""

MOST_TO_LEARN_FROM = 400
"""Batches of a metric that a judge is given: a little more than an hour of ten seconds each, from which on errors need
not last to be believed (see `judge.proportions`)."""

ENOUGH_WITH_BOTH_SIDES = 60
"""Where there are so many with both sides, those of one side are left out: what happened to both looks like a burst."""


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

    While the old deployment had traffic its figures are remembered, and beside them those of the new one, which was
    found good; later those of the new one alone.
    """
    found: dict[tuple[str, datetime], list[HistoryBatch]] = defaultdict(list)

    def remember(metric: str, begin: datetime, end: datetime, sides: _Sides) -> None:
        served = [one for one in sides if one is not None]
        if served and end > begin:
            hour = begin.replace(minute=0, second=0, microsecond=0)
            found[metric, hour].append(HistoryBatch(begin, (end - begin).total_seconds(), *served))

    for batch in batches:
        remember(ERRORS, batch.begin, batch.end, (_errors(batch.baseline), _errors(batch.canary)))
        remember(LATENCY, batch.begin, batch.end, (_latency(batch.baseline), _latency(batch.canary)))
    for one in series:
        for reading in one.readings:
            remember(one.rule.name, reading.begin, reading.end, (reading.baseline, reading.canary))
    return tuple(
        HistoryHour(placement, metric, hour, thinned(sorted(batches_there, key=lambda batch: batch.begin)))
        for (metric, hour), batches_there in found.items()
    )


_Sides = tuple[Figures | None, Figures | None]
"""Of the old deployment and of the new one."""


def _errors(side: Counters | None) -> Counted | None:
    return Counted(side.errors, side.requests) if side and side.requests else None


def _latency(side: Counters | None) -> Spread | None:
    return Spread(side.edges, side.latency) if side and sum(side.latency) else None


def thinned(batches: Sequence[HistoryBatch], most: int = MOST_BATCHES) -> tuple[HistoryBatch, ...]:
    """At most so many of them: first those with both sides, in stretches that are evenly spread. They are left out and
    not added up: a judge wants to see them vary."""
    both, alone = _by_sides(batches)
    kept = _stretches(both, most)
    return _in_order([*kept, *_stretches(alone, most - len(kept))])


def _stretches(batches: Sequence[HistoryBatch], most: int) -> Sequence[HistoryBatch]:
    if len(batches) <= most:
        return batches
    lengths = [min(STRETCH, most - begin) for begin in range(0, most, STRETCH)]
    apart = (len(batches) - most) / max(len(lengths) - 1, 1)
    places = (place * STRETCH + round(place * apart) for place in range(len(lengths)))
    return [one for place, length in zip(places, lengths, strict=True) for one in batches[place : place + length]]


def _by_sides(batches: Iterable[HistoryBatch]) -> tuple[list[HistoryBatch], list[HistoryBatch]]:
    """Those with both sides, and those with one."""
    both: list[HistoryBatch] = []
    alone: list[HistoryBatch] = []
    for one in batches:
        (both if one.beside is not None else alone).append(one)
    return both, alone


def _in_order(batches: Iterable[HistoryBatch]) -> tuple[HistoryBatch, ...]:
    return tuple(sorted(batches, key=lambda one: one.begin))


def latest(hours: Sequence[HistoryHour], before: datetime) -> tuple[HistoryBatch, ...]:
    """The latest batches that were over by then, oldest first: as many as show how a metric varies.

    Those of one side only as far as there are not enough with both.
    """
    found = (batch for hour in hours for batch in hour.batches)
    over = _in_order(one for one in found if one.begin + timedelta(seconds=one.seconds) <= before)
    both, _ = _by_sides(over)
    usable = over if len(both) < ENOUGH_WITH_BOTH_SIDES else both
    return tuple(usable[-MOST_TO_LEARN_FROM:])


def side_by_side(history: Iterable[HistoryBatch]) -> Iterator[tuple[Figures, Figures]]:
    """History as two sides that ran the same version.

    Of batches of one side, two after one another stand for two sides: what changed between them counts as chance, so
    that who learns from it is rather too careful.
    """
    waiting: Figures | None = None
    for one in history:
        if one.beside is not None:
            yield one.beside, one.figures
        elif waiting is not None:
            yield waiting, one.figures
            waiting = None
        else:
            waiting = one.figures


def after_one_another(history: Iterable[HistoryBatch]) -> Iterator[tuple[Figures, Figures]]:
    """History as two sides that ran alone: with all that changes from one time to another."""
    return side_by_side(replace(one, beside=None) for one in history)
