"""The sequential judge: after every batch it fails, passes, or goes on looking; at a stated level over all looks.

The evidence of a rollout is the weighted average of that of its metrics (Vovk, Wang 2021): it fails when that of the
metrics whose effect passes their gates reaches 1 / alpha, and the one that says most is blamed. It passes when every
metric excludes harm above its margin, none is suspected, and the batch has data of all. Passing does not end it: what
comes later can still fail it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np

from tidegate.judge.arrays import Flags, Floats
from tidegate.judge.histograms import track_histograms
from tidegate.judge.rates import track_rates
from tidegate.judge.recorded_wording import Told, recorded_reason
from tidegate.judge.tracks import Pace, Track
from tidegate.judge.values import track_values
from tidegate.model.recording import MetricAnswer, MetricKind, RecordedAnswer, RecordedMetric, Recording
from tidegate.model.verdict import Verdict

SUSPICION = 10.0
"""A rollout does not pass while the evidence of harm is this large."""

INTERVAL_LEVEL = 0.05

_Values = TypeVar("_Values", Floats, Flags)
_AT_ONCE = 500
"""Rollouts: more cost memory and save no time."""


def judge_sequentially(recordings: Sequence[Recording]) -> list[RecordedAnswer]:
    """The answers, in order."""
    answers: dict[int, RecordedAnswer] = {}
    by_seconds: dict[float, list[int]] = {}
    for place, one in enumerate(recordings):
        by_seconds.setdefault(one.batch_seconds, []).append(place)
    for seconds, places in by_seconds.items():
        left = iter(places)
        while some := list(islice(left, _AT_ONCE)):
            together = [recordings[place] for place in some]
            tracks = iter(track_all([metric for one in together for metric in one.metrics], seconds))
            for place, one in zip(some, together, strict=True):
                answers[place] = decide(one, list(islice(tracks, len(one.metrics))))
    return [answers[place] for place in range(len(recordings))]


def track_all(metrics: Sequence[RecordedMetric], batch_seconds: float) -> list[Track]:
    """A track for each metric, in order; those that are alike are judged together."""
    pace = Pace.of(batch_seconds)
    makers: dict[MetricKind, Callable[[Sequence[RecordedMetric]], list[Track]]] = {
        MetricKind.RATE: lambda some: track_rates(some, pace),
        MetricKind.HISTOGRAM: lambda some: track_histograms(some, pace),
        MetricKind.VALUES: lambda some: [track_values(one, pace, batch_seconds) for one in some],
    }
    tracks: dict[int, Track] = {}
    for places in _alike(metrics):
        some = [metrics[place] for place in places]
        tracks.update(zip(places, makers[some[0].kind](some), strict=True))
    return [tracks[place] for place in range(len(metrics))]


def decide(recording: Recording, tracks: Sequence[Track]) -> RecordedAnswer:
    """What the tracks of a recording's metrics say together."""
    length = max(len(one.known) for one in tracks)
    weights = np.array([one.weight for one in recording.metrics])
    shares = np.log(weights / weights.sum())[:, None]
    evidence = np.stack([_to(length, one.log_evidence) for one in tracks])
    serious = np.stack([_to(length, one.serious) for one in tracks]) > 0
    counted = np.where(serious, evidence + shares, -np.inf)
    together = np.logaddexp.reduce(counted, axis=0)
    suspicion = np.stack([_to(length, one.log_suspicion) for one in tracks]) + shares
    suspected = np.logaddexp.reduce(np.where(serious, suspicion, -np.inf), axis=0) >= np.log(SUSPICION)
    failed_at = _first(together >= -np.log(recording.alpha))
    safe = np.all([_to(length, one.safe) for one in tracks], axis=0)
    known = np.array([_to(length, one.known, ends=True) for one in tracks])
    passed_at = _first(safe & known.all(axis=0) & ~suspected)
    if failed_at is not None and passed_at is not None and passed_at > failed_at:
        passed_at = None
    blamed = None if failed_at is None else int(counted[:, failed_at].argmax())
    at = length - 1 if failed_at is None else failed_at
    missing = [metric.name for metric, has in zip(recording.metrics, known, strict=True) if not has.any()]
    verdict = (
        Verdict.FAIL
        if failed_at is not None
        else Verdict.NO_DATA
        if missing
        else Verdict.PASS
        if passed_at is not None
        else Verdict.UNDECIDED
    )
    told = Told(recording, tracks, verdict, at, blamed, failed_at, passed_at, tuple(missing))
    return RecordedAnswer(
        verdict=verdict,
        reason=recorded_reason(told),
        failed_at=failed_at,
        passed_at=passed_at,
        blamed=None if blamed is None else recording.metrics[blamed].name,
        metrics=tuple(_answer(metric, one, at) for metric, one in zip(recording.metrics, tracks, strict=True)),
    )


def _alike(metrics: Sequence[RecordedMetric]) -> Iterator[list[int]]:
    groups: dict[object, list[int]] = {}
    for place, one in enumerate(metrics):
        groups.setdefault((one.kind, one.worse, one.edges), []).append(place)
    yield from groups.values()


def _to(length: int, values: _Values, *, ends: bool = False) -> _Values:
    """The values for so many batches: a metric that has fewer stays as it was, or `ends`."""
    more = length - len(values)
    if not more:
        return values
    last = np.zeros(1, values.dtype) if ends or not len(values) else values[-1:]
    return np.concatenate([values, np.repeat(last, more)])


def _first(flags: Flags) -> int | None:
    return int(flags.argmax()) if flags.any() else None


def _answer(metric: RecordedMetric, track: Track, at: int) -> MetricAnswer:
    if not len(track.known):
        return MetricAnswer(metric.name, 1.0, None, None)
    at = min(at, len(track.known) - 1)
    ratio, spread = float(track.ratio[at]), float(track.spread[at])
    interval = None
    if np.isfinite(ratio) and np.isfinite(spread):
        width = spread * _width(at + 1)
        interval = (_rounded(ratio * np.exp(-width)), _rounded(ratio * np.exp(width)))
    estimate = _rounded(ratio) if np.isfinite(ratio) else None
    return MetricAnswer(metric.name, _rounded(np.exp(min(track.log_evidence[at], 690.0))), estimate, interval)


def _width(looks: int) -> float:
    """In standard errors, so that the interval holds, nearly, at all looks together (a normal mixture's boundary:
    Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021; for large counts: Waudby-Smith et al. 2024)."""
    return float(np.sqrt(-2 * np.log(INTERVAL_LEVEL) + np.log(1 + looks)))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
