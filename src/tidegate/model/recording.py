"""What was counted during a rollout, as a file holds it, and what a judge says of it.

The form is that of `tidegate judge FILE`; `config.judge_file` reads it, `judge.methods` answers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.mann_whitney import Classification, ComparisonRule, MannWhitneyRule
from tidegate.model.threshold import ThresholdRule
from tidegate.model.verdict import Verdict


class Method(StrEnum):
    """How a recording is judged."""

    SEQUENTIAL = "sequential"
    MANN_WHITNEY = "mann_whitney"
    THRESHOLD = "threshold"


class MetricKind(StrEnum):
    """What a metric's batches hold: counts of requests, histograms, or values per interval."""

    RATE = "rate"
    HISTOGRAM = "histogram"
    VALUES = "values"


class Worse(StrEnum):
    """The direction in which a metric does harm."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class RateSide:
    """`x` of `n` requests, `0 <= x <= n`."""

    n: int
    x: int


@dataclass(frozen=True, slots=True)
class HistogramSide:
    """Requests by bucket: one place more than the metric has edges, the last is the overflow."""

    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ValuesSide:
    """What was measured in the interval, in any order; NaN where nothing was."""

    values: tuple[float, ...]


Side = RateSide | HistogramSide | ValuesSide


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """Both sides of one batch, of the metric's kind. None for a side says that there is no data of it."""

    canary: Side | None
    baseline: Side | None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse the canary may be: up to `ratio` times the baseline's rate, and `floor` more.

    In the direction "down" at least the baseline's rate divided by `ratio`, less `floor`. For latency and values
    `ratio` is how much greater the value itself may be.
    """

    ratio: float
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedMetric:
    """One metric of a recording. `history` holds batches in which both sides ran the same version.

    `gate` is by how much the canary must be worse to fail, as a ratio, however certain the difference is; `weight`
    the metric's part of the evidence, relative to the other metrics. `mann_whitney` and `threshold` are what those
    methods go by.
    """

    name: str
    kind: MetricKind
    batches: tuple[RecordedBatch, ...]
    history: tuple[RecordedBatch, ...] = ()
    worse: Worse = Worse.UP
    tolerance: Tolerance = Tolerance(1.0)
    gate: float = 1.0
    weight: float = 1.0
    edges: tuple[float, ...] = ()
    mann_whitney: ComparisonRule = ComparisonRule()
    threshold: ThresholdRule = ThresholdRule()


@dataclass(frozen=True, slots=True)
class Recording:
    """A rollout as it was recorded, and how it is to be judged.

    `alpha` is the probability of failing a harmless version, over all metrics and looks together. `interval` is how
    many batches make one figure where a method judges intervals; `mann_whitney` is what that method goes by.
    """

    metrics: tuple[RecordedMetric, ...]
    method: Method = Method.SEQUENTIAL
    alpha: float = 0.01
    batch_seconds: float = 15.0
    interval: int = 1
    mann_whitney: MannWhitneyRule = MannWhitneyRule()


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """What one metric showed.

    `evidence` of harm is an e-value: it starts at 1, and under no harm the probability that it ever reaches z is at
    most 1 / z. `estimate` is how many times the canary's figure is the baseline's, `interval` where that lies with
    95%; None where it cannot be said.

    Of `mann_whitney`, `evidence` is the p-value, `estimate` how far the canary's values lie above the baseline's, in
    their unit, `interval` where that lies with the wanted confidence. Of `threshold`, `evidence` is the number of
    intervals that failed, and `estimate` the canary's last figure.
    """

    name: str
    evidence: float
    estimate: float | None
    interval: tuple[float, float] | None
    classification: Classification | None = None


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What a judge says of a recording. `failed_at` and `passed_at` are batches, counted from 0; it looked after each.

    A rollout that had passed and did harm later has both. `score` is of `mann_whitney` alone.
    """

    verdict: Verdict
    reason: str
    failed_at: int | None = None
    passed_at: int | None = None
    blamed: str | None = None
    metrics: tuple[MetricAnswer, ...] = ()
    score: float | None = None
