"""Metrics make a score by groups and weights, and the score a verdict."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.judge.mann_whitney.classify import Classified
from tidegate.judge.mann_whitney.looks import Series, judge, latest_look
from tidegate.judge.mann_whitney.score import score
from tidegate.model.mann_whitney import Classification, ComparisonRule, MannWhitneyRule
from tidegate.model.verdict import Verdict

PASS, HIGH, LOW = Classification.PASS, Classification.HIGH, Classification.LOW
NODATA, MUST = Classification.NODATA, Classification.NODATA_FAIL_METRIC


def metric(name: str, shown: Classification, *groups: str, critical: bool = False, muted: bool = False) -> Classified:
    rule = ComparisonRule(groups=groups, critical=critical, muted=muted)
    return Classified(name, rule, shown, critical=critical and shown is not PASS, canary_mean=2.0, baseline_mean=1.0)


@pytest.mark.parametrize(
    ("shown", "weights", "value", "verdict"),
    [
        ({"a": [PASS, PASS], "b": [PASS]}, {"a": 70, "b": 30}, 100.0, Verdict.PASS),
        ({"a": [PASS, HIGH], "b": [PASS]}, {"a": 40, "b": 60}, 80.0, Verdict.UNDECIDED),
        ({"a": [PASS, LOW], "b": [PASS]}, {"a": 70, "b": 30}, 65.0, Verdict.FAIL),
        ({"a": [PASS, PASS, HIGH], "b": [PASS]}, {}, 83.33, Verdict.UNDECIDED),
        ({"a": [HIGH], "b": [PASS], "c": [PASS]}, {"a": 10}, 90.0, Verdict.UNDECIDED),
        ({"a": [NODATA], "b": [PASS, PASS]}, {"a": 50, "b": 50}, 100.0, Verdict.PASS),
        ({"a": [NODATA, HIGH], "b": [PASS, PASS]}, {"a": 20, "b": 80}, 80.0, Verdict.UNDECIDED),
        ({"a": [MUST], "b": [PASS, PASS]}, {"a": 30, "b": 70}, 70.0, Verdict.FAIL),
    ],
)
def test_a_groups_score_is_the_part_of_its_metrics_that_pass(
    shown: dict[str, list[Classification]], weights: dict[str, float], value: float, verdict: Verdict
) -> None:
    metrics = [metric(f"{group}{n}", one, group) for group, all_ in shown.items() for n, one in enumerate(all_)]
    found = score(metrics, MannWhitneyRule(groups=weights))
    assert found.value == pytest.approx(value)
    assert found.verdict is verdict


def test_metrics_without_a_group_make_one_that_takes_the_weight_that_is_left() -> None:
    metrics = [metric("cpu", HIGH), metric("memory", PASS), metric("errors", PASS, "errors")]
    assert score(metrics, MannWhitneyRule(groups={"errors": 60})).value == pytest.approx(80)
    assert score(metrics[:2], MannWhitneyRule()).value == pytest.approx(50)


def test_the_limits_are_inclusive_and_can_be_set() -> None:
    metrics = [metric("a", HIGH), metric("b", PASS)]
    assert score(metrics, MannWhitneyRule(pass_score=50)).verdict is Verdict.PASS
    assert score(metrics, MannWhitneyRule(marginal_score=50)).verdict is Verdict.UNDECIDED


def test_one_critical_failure_fails_the_whole() -> None:
    metrics = [metric("errors", HIGH, critical=True), *(metric(f"m{n}", PASS) for n in range(99))]
    found = score(metrics, MannWhitneyRule())
    assert (found.value, found.verdict, found.blamed) == (0.0, Verdict.FAIL, "errors")
    assert "errors is critical and High: a mean of 2 against 1" in found.reason


def test_a_muted_metric_has_no_part_in_the_score() -> None:
    metrics = [metric("errors", HIGH, critical=True, muted=True), metric("cpu", PASS)]
    assert score(metrics, MannWhitneyRule()).verdict is Verdict.PASS
    assert score(metrics[:1], MannWhitneyRule()).verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    "metrics",
    [
        [metric("a", NODATA)],
        [metric("a", MUST)],
        [metric("a", MUST), metric("b", NODATA)],
        [metric("a", NODATA), metric("b", HIGH)],
        [metric("a", NODATA), metric("b", PASS)],
        [metric("a", NODATA, critical=True), metric("b", PASS), metric("c", PASS)],
    ],
)
def test_too_little_data_is_never_a_pass_and_never_a_fail(metrics: list[Classified]) -> None:
    found = score(metrics, MannWhitneyRule())
    assert (found.value, found.verdict) == (0.0, Verdict.NO_DATA)
    assert "data" in found.reason


def test_a_look_every_so_many_batches_fails_at_the_batch_of_that_look() -> None:
    random = np.random.default_rng(5)
    level = np.where(np.arange(60) < 20, 10.0, 20.0)
    series = Series(
        "cpu", ComparisonRule(), [*(level + random.normal(0, 1, 60))[:, None]], [*random.normal(10, 1, (60, 1))]
    )
    at_the_end = judge([series], MannWhitneyRule())
    repeated = judge([series], MannWhitneyRule(every=4))
    assert (at_the_end.score.verdict, at_the_end.batch) == (Verdict.FAIL, 59)
    assert repeated.score.verdict is Verdict.FAIL
    assert repeated.batch is not None
    assert 20 < repeated.batch < 59
    assert repeated.batch % 4 == 3


def test_looks_before_the_end_believe_nothing_of_a_handful_of_values() -> None:
    series = Series("cpu", ComparisonRule(), [np.array([20.0])] * 2 + [np.array([10.0])] * 30, [np.array([10.1])] * 32)
    assert judge([series], MannWhitneyRule(every=1)).score.verdict is Verdict.PASS


def test_without_batches_there_is_no_data() -> None:
    assert judge([Series("cpu", ComparisonRule(), [], [])], MannWhitneyRule()).score.verdict is Verdict.NO_DATA


def test_a_rollout_that_goes_on_has_no_look_but_those_that_are_asked_for() -> None:
    random = np.random.default_rng(6)
    series = Series("cpu", ComparisonRule(), [*random.normal(20, 1, (12, 1))], [*random.normal(10, 1, (12, 1))])
    assert latest_look([series], MannWhitneyRule(every=13)) is None
    for every, batch in (12, 11), (5, 9), (7, 6):
        found = latest_look([series], MannWhitneyRule(every=every))
        assert found is not None
        assert (found.score.verdict, found.batch) == (Verdict.FAIL, batch)
