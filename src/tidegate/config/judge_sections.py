"""The sections of a judge file: what is written in them, and the recording that they mean."""

from __future__ import annotations

from math import nan
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, model_validator

from tidegate.config.judge_mann_whitney import check_names, comparison_rule, score_rule
from tidegate.config.judge_methods import MethodMetricWords, MethodWords, check_words
from tidegate.config.judge_threshold import threshold_rule
from tidegate.config.section import Section
from tidegate.config.values import wrong
from tidegate.model.mann_whitney import ComparisonRule, MannWhitneyRule
from tidegate.model.recording import (
    HistogramSide,
    Method,
    MetricKind,
    RateSide,
    RecordedBatch,
    RecordedMetric,
    Recording,
    Side,
    Tolerance,
    ValuesSide,
    Worse,
)

MOST_METRICS = 1000
LARGEST_COUNT = 10**15

DEFAULT_TOLERANCES = {
    (MetricKind.RATE, Worse.UP): Tolerance(1.0, 0.0002),
    (MetricKind.RATE, Worse.DOWN): Tolerance(1.0),
}
VALUE_TOLERANCE = Tolerance(1.1)
"""Of latency and of values per interval: they may be a tenth worse."""

DEFAULT_GATES = {(MetricKind.RATE, Worse.UP): 1.25, (MetricKind.RATE, Worse.DOWN): 1.05}
"""Latency and values have none beside their tolerance."""

DEFAULT_WEIGHTS = {
    (MetricKind.RATE, Worse.UP): 0.4,
    (MetricKind.RATE, Worse.DOWN): 0.25,
    (MetricKind.HISTOGRAM, Worse.UP): 0.35,
}
OTHER_WEIGHT = 0.1

_Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
_Part = Annotated[float, Field(ge=0, le=99, allow_inf_nan=False)]
_Edge = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RateSection(Section):
    """Requests of one side in a batch, and how many of them count."""

    n: Annotated[_Count, Field(description="Requests.")]
    x: Annotated[_Count, Field(description="Those of them that failed, or did what the metric counts.")]

    @model_validator(mode="after")
    def _some_of_all(self) -> RateSection:
        if self.x > self.n:
            raise wrong(f"x is {self.x}, more than all {self.n} requests", "x counts some of the n requests")
        return self

    def side(self) -> Side:
        """The same as the model has it."""
        return RateSide(self.n, self.x)


class HistogramSection(Section):
    """Requests of one side in a batch, by bucket."""

    counts: Annotated[tuple[_Count, ...], Field(description="One place more than there are edges, the overflow.")]

    def side(self) -> Side:
        """The same as the model has it."""
        return HistogramSide(self.counts)


_Values = Annotated[tuple[float | None, ...], Field(description="What was measured; null is no data.")]


class BatchSection(Section):
    """Both sides of a batch; null for a side says that there is no data of it."""

    def batch(self) -> RecordedBatch:
        """The same as the model has it."""
        both: Any = self
        return RecordedBatch(_side(both.canary), _side(both.baseline))


class RateBatchSection(BatchSection):
    """A batch of counts."""

    canary: Annotated[RateSection | None, Field(description="The new version.")]
    baseline: Annotated[RateSection | None, Field(description="The version that ran beside it.")]


class HistogramBatchSection(BatchSection):
    """A batch of histograms."""

    canary: Annotated[HistogramSection | None, Field(description="The new version.")]
    baseline: Annotated[HistogramSection | None, Field(description="The version that ran beside it.")]


class ValuesBatchSection(BatchSection):
    """A batch of values."""

    canary: Annotated[_Values | None, Field(description="The new version.")]
    baseline: Annotated[_Values | None, Field(description="The version that ran beside it.")]


class ToleranceSection(Section):
    """How much worse the canary may be."""

    ratio: Annotated[
        float, Field(gt=0, le=100, allow_inf_nan=False, description="So many times the baseline's figure.")
    ] = 1.0
    floor: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="And so much more of all requests.")] = (
        0.0
    )


class MetricSection(MethodMetricWords):
    """What all metrics have."""

    name: Annotated[str, Field(min_length=1, max_length=200, description="What people call it.")]
    worse: Annotated[Worse, Field(description="The direction in which it does harm.")] = Worse.UP
    tolerance: Annotated[
        ToleranceSection | _Part | None,
        Field(description="How much worse the canary may be; 0.1 says the same as {ratio: 1.1}."),
    ] = None
    gate: Annotated[
        float | None,
        Field(gt=0, le=1000, allow_inf_nan=False, description="How many times worse it must be to fail."),
    ] = None
    weight: Annotated[
        float | None,
        Field(gt=0, le=1e6, allow_inf_nan=False, description="Its part of the evidence, beside other metrics."),
    ] = None

    @model_validator(mode="after")
    def _directions(self) -> MetricSection:
        ratio = self.tolerance.ratio if isinstance(self.tolerance, ToleranceSection) else 1.0
        if self.worse is Worse.UP and min(ratio, self.gate or 1.0) < 1:
            raise wrong("a ratio below 1 says that the canary must be better", 'write 1 or more, or "worse": "down"')
        return self

    def metric(self, whole: RecordingSection) -> RecordedMetric:
        """The same as the model has it; `whole` is the recording that it belongs to."""
        fields: Any = self
        gate = DEFAULT_GATES.get((fields.kind, self.worse), 1.0) if self.gate is None else self.gate
        return RecordedMetric(
            name=self.name,
            kind=fields.kind,
            batches=tuple(one.batch() for one in fields.batches),
            history=tuple(one.batch() for one in fields.history),
            worse=self.worse,
            tolerance=self._tolerance(fields.kind),
            gate=max(gate, 1 / gate),
            weight=DEFAULT_WEIGHTS.get((fields.kind, self.worse), OTHER_WEIGHT) if self.weight is None else self.weight,
            edges=getattr(self, "edges", ()),
            mann_whitney=self.comparison(whole),
            threshold=threshold_rule(self, whole, self.quantile),
        )

    def comparison(self, whole: RecordingSection) -> ComparisonRule:
        """How Kayenta's judge compares it."""
        fields: Any = self
        worse = self.worse if "worse" in self.model_fields_set else None
        weight = 1.0 if self.weight is None else self.weight
        return comparison_rule(self.name, fields.kind, worse, weight, self.quantile, self, whole)

    def _tolerance(self, kind: MetricKind) -> Tolerance:
        match self.tolerance:
            case ToleranceSection(ratio=ratio, floor=floor):
                return Tolerance(max(ratio, 1 / ratio), floor)
            case None:
                return DEFAULT_TOLERANCES.get((kind, self.worse), VALUE_TOLERANCE)
            case part:
                return Tolerance(1.0 + part)


class RateMetricSection(MetricSection):
    """A share of requests, such as errors or orders."""

    kind: Literal[MetricKind.RATE]
    batches: Annotated[tuple[RateBatchSection, ...], Field(description="What was counted, in order.")]
    history: Annotated[
        tuple[RateBatchSection, ...], Field(description="Batches in which both sides ran one version.")
    ] = ()


class HistogramMetricSection(MetricSection):
    """How long requests took, or another distribution over them."""

    kind: Literal[MetricKind.HISTOGRAM]
    edges: Annotated[tuple[_Edge, ...], Field(min_length=1, description="Upper edges of the buckets, increasing.")]
    batches: Annotated[tuple[HistogramBatchSection, ...], Field(description="What was counted, in order.")]
    history: Annotated[
        tuple[HistogramBatchSection, ...], Field(description="Batches in which both sides ran one version.")
    ] = ()

    @model_validator(mode="after")
    def _places(self) -> HistogramMetricSection:
        if any(one >= other for one, other in zip(self.edges, self.edges[1:], strict=False)):
            raise wrong('"edges" do not increase', "write the upper edges of the buckets in order, each once")
        for word, batches in (("batches", self.batches), ("history", self.history)):
            for number, batch in enumerate(batches):
                for side in (batch.canary, batch.baseline):
                    if side and len(side.counts) != len(self.edges) + 1:
                        raise wrong(
                            f"{word}[{number}] has {len(side.counts)} counts where {len(self.edges)} edges are",
                            f"write {len(self.edges) + 1}, one for each edge and one for what is above the last",
                        )
        return self


class ValuesMetricSection(MetricSection):
    """What is measured in intervals, such as memory, CPU, or the length of a queue."""

    kind: Literal[MetricKind.VALUES]
    batches: Annotated[tuple[ValuesBatchSection, ...], Field(description="What was measured, in order.")]
    history: Annotated[
        tuple[ValuesBatchSection, ...], Field(description="Batches in which both sides ran one version.")
    ] = ()


SECTIONS_BY_KIND: dict[MetricKind, tuple[type[MetricSection], type[BatchSection], type[Section]]] = {
    MetricKind.RATE: (RateMetricSection, RateBatchSection, RateSection),
    MetricKind.HISTOGRAM: (HistogramMetricSection, HistogramBatchSection, HistogramSection),
    MetricKind.VALUES: (ValuesMetricSection, ValuesBatchSection, ValuesBatchSection),
}
"""Of each kind the sections of a metric, a batch, and a side."""

AnyMetricSection = Annotated[RateMetricSection | HistogramMetricSection | ValuesMetricSection, Discriminator("kind")]


class RecordingSection(MethodWords):
    """A rollout as it was recorded, or invented."""

    method: Annotated[Method, Field(description="How it is judged.")]
    alpha: Annotated[
        float,
        Field(gt=0, lt=1, allow_inf_nan=False, description="How often a harmless version may be failed, in all."),
    ] = 0.01
    batch_seconds: Annotated[
        float, Field(gt=0, le=86_400, allow_inf_nan=False, description="The length of a batch.")
    ] = 15.0
    interval: Annotated[int, Field(ge=1, description="So many batches make one figure (mann_whitney, threshold).")] = 1
    metrics: Annotated[
        tuple[AnyMetricSection, ...], Field(min_length=1, max_length=MOST_METRICS, description="What was measured.")
    ]

    @model_validator(mode="after")
    def _names(self) -> RecordingSection:
        names = [one.name for one in self.metrics]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise wrong(f'two metrics are called "{twice}"', "give each a name of its own")
        return self

    @model_validator(mode="after")
    def _what_is_judged(self) -> RecordingSection:
        if self.method is Method.SEQUENTIAL:
            for one in self.metrics:
                _check_sequential(one)
        return self

    @model_validator(mode="after")
    def _words_of_the_method(self) -> RecordingSection:
        check_words(self.method, self, {one.name: one for one in self.metrics})
        return self

    @model_validator(mode="after")
    def _groups_and_names(self) -> RecordingSection:
        if self.method is Method.MANN_WHITNEY:
            check_names(self, [one.name for one in self.metrics])
            self._rule()
        return self

    def _rule(self) -> MannWhitneyRule:
        rules = [(one.name, one.comparison(self)) for one in self.metrics]
        return score_rule(self, {name: rule.groups for name, rule in rules if not rule.muted})

    def recording(self) -> Recording:
        """The same as the model has it."""
        return Recording(
            metrics=tuple(one.metric(self) for one in self.metrics),
            method=self.method,
            alpha=self.alpha,
            batch_seconds=self.batch_seconds,
            interval=self.interval,
            mann_whitney=self._rule(),
        )


class RolloutsSection(Section):
    """Many recordings in one file."""

    rollouts: Annotated[tuple[RecordingSection, ...], Field(description="Each is judged by itself.")]


def _side(section: RateSection | HistogramSection | tuple[float | None, ...] | Any | None) -> Side | None:
    match section:
        case None:
            return None
        case RateSection() | HistogramSection():
            return section.side()
        case values:
            return ValuesSide(tuple(nan if value is None else value for value in values))


def _check_sequential(metric: AnyMetricSection) -> None:
    """What the sequential method cannot mean is said, and not passed over."""
    floor = metric.tolerance.floor if isinstance(metric.tolerance, ToleranceSection) else 0.0
    if metric.kind is MetricKind.HISTOGRAM and metric.worse is Worse.DOWN:
        raise wrong(f'"{metric.name}" is a histogram, which does harm upwards', 'remove "worse", or give it as a rate')
    if metric.kind is MetricKind.VALUES and floor:
        raise wrong(f'"{metric.name}" has a "floor", which is a part of requests', 'remove it; "ratio" is for values')
