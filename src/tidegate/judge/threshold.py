"""The judge with fixed limits by name: an interval that is beyond its limit has failed, and so many may.

Compatible with Argo Rollouts (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/): `failureLimit` is how
many may fail, and the next one fails the rollout. Flagger's `threshold` is one more than that. It looks at each
interval by itself, so it cries wolf at low traffic and is blind to harm below its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import isnan

from tidegate.judge.interval_figures import Figure, figure, intervals
from tidegate.model.recording import MetricAnswer, MetricKind, RecordedAnswer, RecordedMetric, Recording, Worse
from tidegate.model.threshold import Limit, ThresholdRule
from tidegate.model.verdict import Verdict


class Phase(Enum):
    """What an interval was."""

    SUCCESS = "success"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Measured:
    """One interval of a metric; `last` is its last batch."""

    last: int
    phase: Phase
    canary: Figure
    limit: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How a metric's intervals went so far."""

    metric: RecordedMetric
    rule: ThresholdRule
    counts: dict[Phase, int] = field(default_factory=dict)
    row: int = 0
    latest: Measured | None = None
    latest_failure: Measured | None = None

    def count(self, phase: Phase) -> int:
        """How many intervals were of this kind."""
        return self.counts.get(phase, 0)

    def and_then(self, measured: Measured) -> Tally:
        """With one more interval. One that says nothing neither ends a row of failures nor makes it longer."""
        failed = measured.phase is Phase.FAILURE
        row = self.row + 1 if failed else 0 if measured.phase is Phase.SUCCESS else self.row
        return replace(
            self,
            counts={**self.counts, measured.phase: self.count(measured.phase) + 1},
            row=row,
            latest=measured,
            latest_failure=measured if failed else self.latest_failure,
        )

    @property
    def fails(self) -> bool:
        """Whether more intervals failed than may."""
        return self.count(Phase.FAILURE) > self.rule.most_failures or self.row > self.rule.longest_row

    @property
    def verdict(self) -> Verdict:
        """What is said if this was the last interval."""
        if self.fails:
            return Verdict.FAIL
        if not self.count(Phase.SUCCESS):
            silent = not self.count(Phase.FAILURE) and not self.count(Phase.INCONCLUSIVE)
            return Verdict.NO_DATA if silent else Verdict.UNDECIDED
        silent_intervals = self.count(Phase.INCONCLUSIVE) + self.count(Phase.NO_DATA)
        doubtful = self.row > 0 or silent_intervals > self.rule.most_inconclusive
        return Verdict.UNDECIDED if doubtful else Verdict.PASS


def judge_by_threshold(recording: Recording) -> RecordedAnswer:
    """The answer after the interval that fails, or after the last one."""
    tallies = {one.name: Tally(one, one.threshold) for one in recording.metrics}
    for name, measured in _in_order(recording):
        tallies[name] = tallies[name].and_then(measured)
        if tallies[name].fails:
            return _answer(list(tallies.values()), failed=tallies[name])
    return _answer(list(tallies.values()), failed=None)


def _in_order(recording: Recording) -> Iterator[tuple[str, Measured]]:
    """All intervals of all metrics, as they come to an end."""
    measured = [
        (one.last, place, metric.name, one)
        for place, metric in enumerate(recording.metrics)
        for one in _measure(metric, recording.interval)
    ]
    return ((name, one) for _, _, name, one in sorted(measured, key=lambda entry: entry[:2]))


def _measure(metric: RecordedMetric, length: int) -> Iterator[Measured]:
    rule = metric.threshold
    for interval in intervals(metric, length):
        canary = figure(metric, [one.canary for one in interval.batches], rule.quantile)
        baseline = figure(metric, [one.baseline for one in interval.batches], rule.quantile)
        limit = _limit(metric).beside(baseline.value, worse_is_more=metric.worse is Worse.UP)
        yield Measured(interval.last, _phase(metric, canary, baseline), canary, limit)


def _limit(metric: RecordedMetric) -> Limit:
    own = Limit(ratio=max(metric.tolerance.ratio, metric.gate), floor=metric.tolerance.floor)
    return metric.threshold.limit or own


def _phase(metric: RecordedMetric, canary: Figure, baseline: Figure) -> Phase:
    rule, limit, counts_requests = metric.threshold, _limit(metric), metric.kind is not MetricKind.VALUES
    sides = [canary, baseline] if limit.is_relative else [canary]
    if any(isnan(side.value) for side in sides):
        return Phase.NO_DATA
    if counts_requests and min(side.weight for side in sides) < rule.minimum_requests:
        return Phase.INCONCLUSIVE
    beyond = _beyond(metric, canary.value, baseline.value)
    if beyond(limit):
        return Phase.FAILURE
    return Phase.INCONCLUSIVE if rule.within and beyond(rule.within) else Phase.SUCCESS


def _beyond(metric: RecordedMetric, canary: float, baseline: float) -> Callable[[Limit], bool]:
    more = metric.worse is Worse.UP

    def is_beyond(limit: Limit) -> bool:
        at = limit.beside(baseline, worse_is_more=more)
        return canary > at if more else canary < at

    return is_beyond


def _answer(tallies: Sequence[Tally], failed: Tally | None) -> RecordedAnswer:
    verdict = Verdict.FAIL if failed else _least_sure([one.verdict for one in tallies])
    last = max((one.latest.last for one in tallies if one.latest), default=None)
    blamed = failed or next((one for one in tallies if one.verdict is verdict and verdict is not Verdict.PASS), None)
    words = _words(blamed) if blamed else "; ".join(_words(one) for one in tallies)
    return RecordedAnswer(
        verdict=verdict,
        reason=words,
        failed_at=failed.latest.last if failed and failed.latest else None,
        passed_at=last if verdict is Verdict.PASS else None,
        blamed=failed.metric.name if failed else None,
        metrics=tuple(_metric(one) for one in tallies),
    )


def _least_sure(verdicts: Sequence[Verdict]) -> Verdict:
    return next((one for one in (Verdict.NO_DATA, Verdict.UNDECIDED) if one in verdicts), Verdict.PASS)


def _metric(tally: Tally) -> MetricAnswer:
    latest = tally.latest.canary.value if tally.latest else None
    known = latest if latest is not None and not isnan(latest) else None
    return MetricAnswer(tally.metric.name, float(tally.count(Phase.FAILURE)), known, None)


def _words(tally: Tally) -> str:
    """`errors: 4 of 12 intervals beyond the limit, 3 may be; the last with 0.072 where 0.05 is allowed`."""
    failures, measured = tally.count(Phase.FAILURE), sum(tally.counts.values())
    words = f"{tally.metric.name}: {failures} of {measured} intervals beyond the limit"
    if tally.row > tally.rule.longest_row:
        words += f", {tally.row} of them in a row"
    elif tally.fails:
        words += f", {tally.rule.failure_limit or 'none'} may be"
    if last := tally.latest_failure:
        words += f"; the last with {last.canary.value:.4g} where {last.limit:.4g} is allowed"
    if silent := tally.count(Phase.NO_DATA):
        words += f"; {silent} without data"
    if unsure := tally.count(Phase.INCONCLUSIVE):
        words += f"; {unsure} inconclusive"
    return words
