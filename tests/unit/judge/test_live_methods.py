"""The live judge where a file names a method: both the router's figures and the service's own must be well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.judge.judge import Case
from tidegate.judge.live_methods import MethodJudge
from tidegate.model.ids import RolloutId
from tidegate.model.mann_whitney import ComparisonRule, Direction, MannWhitneyRule
from tidegate.model.metric import Measured, MetricReading, MetricRule, MetricSeries, SourceName
from tidegate.model.pipeline import VerifyRule
from tidegate.model.recording import Method, MetricKind
from tidegate.model.threshold import Limit, ThresholdRule
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALM = (9.1, 10.4, 9.8, 10.9, 8.8, 10.2, 9.5, 11.3, 10.0, 9.9)


class Told:
    """The judge of the router's figures says what the test says."""

    def __init__(self, verdict: Verdict = Verdict.PASS) -> None:
        self.verdict = verdict
        self.asked: list[Case] = []

    def judge(self, case: Case) -> Judgement:
        self.asked.append(case)
        finding = MetricFinding("errors", 1.0, 1.0, 0.5, "%", self.verdict)
        return Judgement(self.verdict, f"errors: {self.verdict.value}", "errors", (finding,))


def series(
    canary: Sequence[float | None], baseline: Sequence[float | None], rule: MetricRule, step: int = 0
) -> MetricSeries:
    readings = [
        MetricReading(
            RolloutId("r"),
            rule.name,
            NOON + timedelta(minutes=minute),
            NOON + timedelta(minutes=minute + 1),
            step,
            None if new is None else Measured((new,)),
            None if old is None else Measured((old,)),
        )
        for minute, (new, old) in enumerate(zip(canary, baseline, strict=True))
    ]
    return MetricSeries(rule, tuple(readings))


def memory(threshold: ThresholdRule = ThresholdRule(Limit(absolute=12.0))) -> MetricRule:  # noqa: B008
    comparison = ComparisonRule(direction=Direction.INCREASE)
    return MetricRule(
        "memory", SourceName.PROMETHEUS, kind=MetricKind.VALUES, threshold=threshold, comparison=comparison
    )


def judged(
    method: Method, *metrics: MetricSeries, router: Told | None = None, expects_baseline: bool = True, every: int = 10
) -> Judgement:
    rules = tuple(one.rule for one in metrics)
    rule = VerifyRule(metrics=rules, method=method, mann_whitney=MannWhitneyRule(every=every))
    return MethodJudge(router or Told()).judge(Case((), 0, rule, expects_baseline, metrics))


def test_without_a_method_one_judge_judges_everything() -> None:
    router = Told()
    judged(Method.SEQUENTIAL, series([99.0], [1.0], memory()), router=router)
    assert router.asked[0].metrics
    judged(Method.THRESHOLD, series([1.0], [1.0], memory()), router=router)
    assert not router.asked[1].metrics


@pytest.mark.parametrize(
    ("router", "figures", "verdict", "blamed"),
    [
        (Verdict.PASS, [11.0], Verdict.PASS, "errors"),
        (Verdict.PASS, [11.0, 13.0], Verdict.FAIL, "memory"),
        (Verdict.UNDECIDED, [13.0], Verdict.FAIL, "memory"),
        (Verdict.FAIL, [11.0], Verdict.FAIL, "errors"),
        (Verdict.UNDECIDED, [11.0], Verdict.UNDECIDED, "errors"),
        (Verdict.NO_DATA, [11.0], Verdict.NO_DATA, "errors"),
        (Verdict.PASS, [None], Verdict.NO_DATA, None),
    ],
)
def test_a_rollout_fails_where_either_fails_and_passes_where_both_pass(
    router: Verdict, figures: list[float | None], verdict: Verdict, blamed: str | None
) -> None:
    one = series(figures, [10.0] * len(figures), memory())
    found = judged(Method.THRESHOLD, one, router=Told(router))
    assert (found.verdict, found.blamed) == (verdict, blamed)
    assert [finding.name for finding in found.metrics] == ["errors", "memory"]


def test_a_metric_without_a_reading_is_waited_for() -> None:
    assert judged(Method.THRESHOLD, series([], [], memory())).verdict is Verdict.UNDECIDED
    assert judged(Method.MANN_WHITNEY, series([], [], memory())).verdict is Verdict.UNDECIDED


def test_a_limit_beside_the_baseline_is_not_judged_where_there_is_none() -> None:
    relative = memory(ThresholdRule(Limit(ratio=1.1)))
    alone = judged(Method.THRESHOLD, series([99.0], [None], relative), expects_baseline=False)
    assert (alone.verdict, "nothing to compare with" in alone.reason) == (Verdict.PASS, True)
    absolute = series([99.0], [None], memory())
    assert judged(Method.THRESHOLD, absolute, expects_baseline=False).verdict is Verdict.FAIL
    assert judged(Method.MANN_WHITNEY, absolute, expects_baseline=False).verdict is Verdict.PASS


def test_kayentas_judge_looks_after_so_many_figures_and_not_before() -> None:
    higher = [one + 5 for one in CALM]
    nine = judged(Method.MANN_WHITNEY, series(higher[:9], CALM[:9], memory()))
    assert nine.verdict is Verdict.UNDECIDED
    assert "the first look at memory is after 10 figures; there are 9" in nine.reason
    ten = judged(Method.MANN_WHITNEY, series(higher, CALM, memory()))
    assert (ten.verdict, ten.blamed) == (Verdict.FAIL, "memory")
    assert "memory is High" in ten.reason
    assert judged(Method.MANN_WHITNEY, series(CALM, CALM[::-1], memory())).verdict is Verdict.PASS


def test_too_few_figures_for_the_confidence_neither_pass_nor_fail() -> None:
    three = judged(Method.MANN_WHITNEY, series([20.0] * 3, [10.0, 11.0, 12.0], memory()), every=3)
    assert three.verdict is Verdict.UNDECIDED
    assert "memory: too few figures for a confidence of 98%" in three.reason


def test_one_side_without_data_is_no_data() -> None:
    half = series([None] * 10, list(CALM), memory())
    assert judged(Method.MANN_WHITNEY, half).verdict is Verdict.NO_DATA
