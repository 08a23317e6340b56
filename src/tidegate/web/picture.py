"""A rollout as a picture: the share of the traffic over time, and the errors on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.batches import cut_batches, labelled
from tidegate.model.figures import Batch, Counters, Snapshot
from tidegate.model.rollout import Rollout
from tidegate.web.wording import percent

WIDTH, HEIGHT = 640, 140
_LEAST_SCALE = 0.02
"""The error axis reaches at least 2%, so that one lost request does not look like a disaster."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Coordinates in a box of WIDTH × HEIGHT, the origin at the top left; each is an SVG `points` attribute."""

    shares: str
    new_errors: str
    old_errors: str
    scale: str
    seconds: int
    words: str


def rollout_picture(rollout: Rollout, snapshots: Sequence[tuple[int, Snapshot]]) -> Picture | None:
    """The picture of a rollout's snapshots (with the step at which each was taken).

    None before the first batch, and where the traffic moves in one step: there is nothing to see.
    """
    if rollout.new is None or len(rollout.plan) < 2:
        return None
    taken = labelled(snapshots, rollout.loaded)
    batches = cut_batches(taken, rollout.new, rollout.old)
    if not batches:
        return None
    begin, end = batches[0].begin, batches[-1].end
    frame = _Frame(begin, (end - begin).total_seconds() or 1.0)
    new = [_rate(batch.canary) for batch in batches]
    old = [_rate(batch.baseline) for batch in batches]
    worst = max([_LEAST_SCALE, *(rate for rate in (*new, *old) if rate is not None)])
    return Picture(
        shares=_steps(rollout, batches, frame),
        new_errors=_line(batches, new, worst, frame),
        old_errors=_line(batches, old, worst, frame),
        scale=percent(worst),
        seconds=round(frame.seconds),
        words=f"{_total(new, 'new')}; {_total(old, 'old')}",
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    begin: datetime
    seconds: float

    def x(self, at: datetime) -> float:
        return round((at - self.begin).total_seconds() / self.seconds * WIDTH, 1)


def _steps(rollout: Rollout, batches: Sequence[Batch], frame: _Frame) -> str:
    points, before = [f"0,{HEIGHT}"], None
    for batch in batches:
        share = rollout.plan[min(batch.step, len(rollout.plan) - 1)].share.fraction
        y = round(HEIGHT - share * HEIGHT, 1)
        # between two batches the shares changed at once: a step, not a slope
        points += [f"{frame.x(batch.begin)},{y if before is None else before}", f"{frame.x(batch.begin)},{y}"]
        points.append(f"{frame.x(batch.end)},{y}")
        before = y
    return " ".join([*points, f"{WIDTH},{HEIGHT}"])


def _line(batches: Sequence[Batch], rates: Sequence[float | None], worst: float, frame: _Frame) -> str:
    points: list[str] = []
    for batch, rate in zip(batches, rates, strict=True):
        if rate is not None:
            # a rate is one of a whole batch, so it is level from its begin to its end
            y = round(HEIGHT - 2 - rate / worst * (HEIGHT - 4), 1)
            points += [f"{frame.x(batch.begin)},{y}", f"{frame.x(batch.end)},{y}"]
    return " ".join(points)


def _rate(side: Counters | None) -> float | None:
    return side.errors / side.requests if side and side.requests else None


def _total(rates: Sequence[float | None], name: str) -> str:
    known = [rate for rate in rates if rate is not None]
    return f"{name}: errors at most {percent(max(known))} in a batch" if known else f"{name}: no requests"
