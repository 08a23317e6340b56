"""The live judge where a file names a method: it judges the metrics of the service's own.

Errors and latency from the router are judged by the sequential method in any case: a fixed limit, or a test that is
looked at again and again, is no reason to do without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.judge.judge import Case, Judge
from tidegate.model.metric import MetricReading, MetricSeries
from tidegate.model.metric_recording import recorded_metric
from tidegate.model.recording import Method, MetricAnswer, RecordedMetric, Recording
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

_WORST_FIRST = (Verdict.FAIL, Verdict.NO_DATA, Verdict.UNDECIDED, Verdict.PASS)


class MethodJudge:
    """A Judge: `router` judges errors and latency, and other metrics where the file names no method."""

    def __init__(self, router: Judge) -> None:
        self._router = router

    def judge(self, case: Case) -> Judgement:
        """The worse of both verdicts: it fails where either does, and passes where both do."""
        if case.rule.method is Method.SEQUENTIAL:
            return self._router.judge(case)
        return _together(self._router.judge(replace(case, metrics=())), _judge_own(case))


def _together(router: Judgement, own: Judgement) -> Judgement:
    verdict = next(one for one in _WORST_FIRST if one in (router.verdict, own.verdict))
    said = [one.reason for one in (router, own) if one.verdict is verdict and one.reason]
    blamed = next((one.blamed for one in (router, own) if one.verdict is verdict and one.blamed), None)
    return replace(
        router, verdict=verdict, reason=". ".join(said), blamed=blamed, metrics=(*router.metrics, *own.metrics)
    )


def _judge_own(case: Case) -> Judgement:
    """What the method says of all readings so far. A metric without any is waited for by whoever asks."""
    recorded = [(one, recorded_metric(replace(one, readings=_judged(one, case)))) for one in case.metrics]
    metrics = tuple(metric for _, metric in recorded if metric.batches)
    if not metrics:
        alone = any(one.readings for one in case.metrics)
        words = f"{case.rule.method}: there is nothing to compare with" if alone else ""
        return Judgement(Verdict.PASS if alone else Verdict.UNDECIDED, words)
    recording = Recording(metrics, case.rule.method, mann_whitney=case.rule.mann_whitney)
    return _by_threshold(recording) if case.rule.method is Method.THRESHOLD else _as_kayenta(recording)


def _judged(series: MetricSeries, case: Case) -> tuple[MetricReading, ...]:
    """The readings that the method can judge: without a baseline, those of an absolute limit alone."""
    is_alone = case.rule.method is Method.THRESHOLD and not _is_relative(series)
    if case.expects_baseline or is_alone:
        return series.readings
    return tuple(one for one in series.readings if one.step != case.step)


def _is_relative(series: MetricSeries) -> bool:
    limit = series.rule.threshold.limit
    return limit is None or limit.is_relative


def _by_threshold(recording: Recording) -> Judgement:
    from tidegate.judge.threshold import judge_by_threshold

    answer = judge_by_threshold(recording)
    verdicts = {one.name: Verdict.UNDECIDED for one in answer.metrics}
    if answer.blamed:
        verdicts[answer.blamed] = Verdict.FAIL
    elif answer.verdict is Verdict.PASS:
        verdicts = dict.fromkeys(verdicts, Verdict.PASS)
    found = tuple(_finding(one, verdicts[one.name]) for one in answer.metrics)
    return Judgement(answer.verdict, answer.reason, answer.blamed, found)


def _finding(answer: MetricAnswer, verdict: Verdict) -> MetricFinding:
    return MetricFinding(answer.name, answer.estimate, None, 1.0, "", verdict)


def _as_kayenta(recording: Recording) -> Judgement:
    # numpy is loaded here, so that a server that judges nothing stays small
    from tidegate.judge.mann_whitney.recorded import look_as_kayenta

    outcome = look_as_kayenta(recording)
    if outcome is None:
        return Judgement(Verdict.UNDECIDED, _first_look(recording.metrics, recording.mann_whitney.every or 1))
    score = outcome.score
    early = [one.name for one in outcome.metrics if not one.told and not one.rule.muted]
    verdict, reason = score.verdict, score.reason
    if verdict is Verdict.PASS and early:
        verdict = Verdict.UNDECIDED
        reason = f"{', '.join(early)}: too few figures for a confidence of {recording.mann_whitney.confidence:.0%}"
    blamed = score.blamed if verdict is Verdict.FAIL else None
    found = tuple(
        MetricFinding(
            one.name,
            one.canary_mean,
            one.baseline_mean,
            one.p,
            "",
            Verdict.FAIL if one.classification.is_failure else Verdict.PASS if one.told else Verdict.UNDECIDED,
        )
        for one in outcome.metrics
    )
    return Judgement(verdict, reason, blamed, found)


def _first_look(metrics: Sequence[RecordedMetric], every: int) -> str:
    read = max(len(one.batches) for one in metrics)
    return f"the first look at {', '.join(one.name for one in metrics)} is after {every} figures; there are {read}"
