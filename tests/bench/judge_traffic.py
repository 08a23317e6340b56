"""Generated rollouts with seeds: what two versions of a service count, in batches of 15 seconds.

Requests are Poisson, errors binomial, latency log-normal, orders 5% of the requests. Both sides may move together (a
random walk on an hour's wave), share an incident, or have errors in bursts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from tidegate.model.recording import (
    HistogramSide,
    MetricKind,
    RateSide,
    RecordedBatch,
    RecordedMetric,
    Recording,
    Tolerance,
    Worse,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SECONDS, BATCHES = 15.0, 240
EDGES = np.round(np.geomspace(1, 2000, 40), 3)
MEDIAN_MS, SIGMA, ORDERS = 20.0, 0.5, 0.05
CLUMP, RETRIES = 5, 10


class Errors(Enum):
    """How errors come."""

    ALONE = "one by one"
    CLUMPS = "clumps of 5"
    GEOMETRIC = "clumps, 5 on average"
    RETRYING = "a client retries 30–120 s"


class Moves(Enum):
    """What both sides do together."""

    STEADY = "steady"
    MOVING = "both sides move"
    INCIDENT = "a common ×20 incident"


@dataclass(frozen=True, slots=True)
class World:
    """A kind of traffic, and what the new version does to it from batch `start` on; `leak` lets its errors grow from
    there to a rate of `leak` in 20 minutes."""

    per_minute: float = 600
    share: float = 0.5
    base: float = 0.001
    errors: Errors = Errors.ALONE
    moves: Moves = Moves.STEADY
    times: float = 1.0
    slower: float = 1.0
    orders: float = 1.0
    start: int = 0
    leak: float | None = None
    batches: int = BATCHES

    @property
    def harmless(self) -> World:
        """The same traffic on two sides of one version."""
        return replace(self, times=1.0, slower=1.0, orders=1.0, leak=None, moves=Moves.STEADY)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of N rollouts: requests, errors, orders (N x batches), latency by bucket (N x batches x places)."""

    requests: Ints
    errors: Ints
    orders: Ints
    latency: Ints


def serve(world: World, rollouts: int, rng: np.random.Generator) -> tuple[Side, Side]:
    """The canary's and the baseline's side."""
    level = _level(world, rollouts, rng)
    return _side(world, level, rng, new=True), _side(world, level, rng, new=False)


def serve_alike(worlds: Sequence[World], rollouts: int, rng: np.random.Generator) -> Iterator[tuple[Side, Side]]:
    """The sides in each of some worlds that differ in their errors only: requests, orders and latency are the same."""
    level = _level(worlds[0], rollouts, rng)
    sides = [_side(worlds[0], level, rng, new=new) for new in (True, False)]
    for world in worlds:
        here = level if world.moves is Moves.MOVING else _level(world, rollouts, rng)
        rate = np.clip(world.base * here, 0, 0.9)
        canary, baseline = (replace(one, errors=_errors(world.errors, one.requests, rate, rng)) for one in sides)
        yield canary, baseline


def _level(world: World, rollouts: int, rng: np.random.Generator) -> Floats:
    shape = (rollouts, world.batches)
    if world.moves is Moves.MOVING:
        wave = np.sin(np.linspace(0, 6.3, world.batches)[None, :] + rng.uniform(0, 6.3, (rollouts, 1)))
        walk = np.cumsum(rng.normal(0, 0.1, shape), axis=1) + wave
        return np.asarray(np.exp(walk - walk.mean(axis=1, keepdims=True)))
    level = np.ones(shape)
    if world.moves is Moves.INCIDENT:
        level[:, 40:] = 20
    return level


def _side(world: World, level: Floats, rng: np.random.Generator, *, new: bool) -> Side:
    share = world.share if new else 1 - world.share
    requests = rng.poisson(world.per_minute / 60 * SECONDS * share, level.shape)
    harmed = (np.arange(world.batches) >= world.start) & new
    times = np.where(harmed, world.times, 1.0)
    if world.leak is not None and new:
        since = np.clip((np.arange(world.batches) - world.start) * SECONDS / 1200, 0, 1)
        times = 1 + since * (world.leak / world.base - 1)
    rate = np.clip(world.base * level * times, 0, 0.9)
    orders = rng.binomial(requests, ORDERS * np.where(harmed, world.orders, 1.0))
    slower = np.where(harmed, world.slower, 1.0) * (np.sqrt(level) if world.moves is Moves.MOVING else 1.0)
    return Side(requests, _errors(world.errors, requests, rate, rng), orders, _latency(requests, slower, rng))


def _errors(kind: Errors, requests: Ints, rate: Floats, rng: np.random.Generator) -> Ints:
    expected = requests * rate
    match kind:
        case Errors.ALONE:
            return np.asarray(rng.binomial(requests, rate), dtype=np.int64)
        case Errors.CLUMPS:
            return np.minimum(requests, CLUMP * rng.poisson(expected / CLUMP))
        case Errors.GEOMETRIC:
            clumps = rng.poisson(expected / CLUMP)
            more = rng.negative_binomial(np.maximum(clumps, 1), 1 / CLUMP) * (clumps > 0)
            return np.asarray(np.minimum(requests, clumps + more), dtype=np.int64)
    # most errors are one by one, the others of clients that retry for 2 to 8 batches
    found = rng.poisson(expected / 2)
    begun = rng.poisson(expected / 2 / RETRIES)
    for rollout, batch in zip(*np.nonzero(begun), strict=True):
        for _ in range(min(int(begun[rollout, batch]), 50)):
            at = batch + rng.integers(0, rng.integers(2, 9), rng.poisson(RETRIES))
            np.add.at(found[rollout], at[at < requests.shape[1]], 1)
    return np.minimum(requests, found)


def _latency(requests: Ints, slower: Floats, rng: np.random.Generator) -> Ints:
    from scipy.special import ndtr

    median = MEDIAN_MS * np.broadcast_to(slower, requests.shape)
    kinds, of = np.unique(median, axis=0, return_inverse=True)
    below = ndtr(np.log(EDGES / kinds[..., None]) / SIGMA)
    parts = np.diff(below, prepend=0, append=1, axis=-1)
    return np.asarray(rng.multinomial(requests, parts[of.ravel()]), dtype=np.int64)


def recordings(sides: tuple[Side, Side], history: tuple[Side, Side] | None = None) -> list[Recording]:
    """The rollouts as the judge takes them: errors, latency and orders together."""
    return [_recording(sides, history, place) for place in range(len(sides[0].requests))]


def error_metrics(sides: tuple[Side, Side], history: tuple[Side, Side] | None = None) -> list[RecordedMetric]:
    """The errors of the rollouts alone."""
    return [
        _errors_metric(_errors_of(sides, place), _errors_of(history, place) if history else ())
        for place in range(len(sides[0].requests))
    ]


def _recording(sides: tuple[Side, Side], history: tuple[Side, Side] | None, place: int) -> Recording:
    now, past = _batches(sides, place), _batches(history, place) if history else ((), (), ())
    errors = _errors_metric(now[0], past[0])
    latency = RecordedMetric(
        "latency", MetricKind.HISTOGRAM, now[1], past[1], tolerance=Tolerance(1.1), weight=0.35, edges=tuple(EDGES)
    )
    orders = RecordedMetric(
        "orders", MetricKind.RATE, now[2], past[2], Worse.DOWN, tolerance=Tolerance(1.0), gate=1.05, weight=0.25
    )
    return Recording((errors, latency, orders))


_Batches = tuple[RecordedBatch, ...]


def _errors_metric(now: _Batches, past: _Batches) -> RecordedMetric:
    return RecordedMetric("errors", MetricKind.RATE, now, past, tolerance=Tolerance(1.0, 0.0002), gate=1.25, weight=0.4)


def _errors_of(sides: tuple[Side, Side], place: int) -> _Batches:
    canary, baseline = sides
    return _rates(canary.requests[place], canary.errors[place], baseline.requests[place], baseline.errors[place])


def _batches(sides: tuple[Side, Side], place: int) -> tuple[_Batches, _Batches, _Batches]:
    canary, baseline = sides
    return (
        _errors_of(sides, place),
        tuple(
            RecordedBatch(HistogramSide(tuple(one)), HistogramSide(tuple(other)))
            for one, other in zip(canary.latency[place].tolist(), baseline.latency[place].tolist(), strict=True)
        ),
        _rates(canary.requests[place], canary.orders[place], baseline.requests[place], baseline.orders[place]),
    )


def _rates(*columns: Ints) -> _Batches:
    rows: Sequence[Sequence[int]] = np.stack(columns, axis=1).tolist()
    return tuple(RecordedBatch(RateSide(n, x), RateSide(m, y)) for n, x, m, y in rows)
