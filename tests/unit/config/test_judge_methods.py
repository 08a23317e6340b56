"""The words of the methods by name in a judge file: what they mean, what is refused, and what is answered."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tidegate.config import judge_file
from tidegate.judge.methods import judge_recordings
from tidegate.model.mann_whitney import Classification, ComparisonRule, Direction, EffectMeasure
from tidegate.model.recording import RecordedAnswer, Recording
from tidegate.model.threshold import Limit
from tidegate.model.verdict import Verdict

CALM = [9.1, 10.4, 9.8, 10.9, 8.8, 10.2, 9.5, 11.3, 10.0, 9.9]
HIGHER = [one + 3 for one in CALM]


def values(name: str = "cpu", canary: list[float] = HIGHER, baseline: list[float] = CALM, **words: Any) -> Any:
    both = [{"canary": [new], "baseline": [old]} for new, old in zip(canary, baseline, strict=True)]
    return {"name": name, "kind": "values", "batches": both, **words}


def rate(name: str = "errors", **words: Any) -> Any:
    both = [{"canary": {"n": 100, "x": 9 - n % 3}, "baseline": {"n": 100, "x": n % 3}} for n in range(12)]
    return {"name": name, "kind": "rate", "batches": both, **words}


def recording(*metrics: Any, method: str = "mann_whitney", **words: Any) -> Recording:
    plain = {"method": method, "metrics": list(metrics), **words}
    (one,) = judge_file.load(json.dumps(plain).encode(), "figures.json").rollouts
    return one


def answer(*metrics: Any, **words: Any) -> RecordedAnswer:
    return judge_recordings([recording(*metrics, **words)])[0]


def rule(*metrics: Any, **words: Any) -> ComparisonRule:
    return recording(*metrics, **words).metrics[0].mann_whitney


def refused(*metrics: Any, method: str = "mann_whitney", **words: Any) -> str:
    with pytest.raises(judge_file.JudgeFileError) as error:
        recording(*metrics, method=method, **words)
    return str(error.value)


def test_a_metric_is_classified_and_the_score_decides() -> None:
    found = answer(values(), values("memory", CALM), **{"pass": 90, "marginal": 40})
    assert (found.verdict, found.score, found.failed_at, found.passed_at) == (Verdict.UNDECIDED, 50.0, None, None)
    assert [one.classification for one in found.metrics] == [Classification.HIGH, Classification.PASS]
    assert found.metrics[0].interval is not None
    assert found.metrics[0].interval[0] < 3 < found.metrics[0].interval[1]
    assert answer(values()).failed_at == 9
    assert answer(values(canary=CALM)).passed_at == 9


def test_a_side_that_is_null_is_a_missing_value() -> None:
    sparse = values(nan_strategy="replace")
    sparse["batches"] = [{"canary": None if n % 4 == 0 else [5.0], "baseline": [0.0]} for n in range(20)]
    assert answer(sparse).metrics[0].classification is Classification.HIGH
    nothing = values()
    nothing["batches"] = [{"canary": None, "baseline": [1.0]}] * 9
    assert answer(nothing).verdict is Verdict.NO_DATA


def test_rates_and_histograms_are_judged_by_a_figure_an_interval() -> None:
    assert answer(rate()).metrics[0].classification is Classification.HIGH
    assert answer(rate(), interval=12).metrics[0].estimate == pytest.approx(0.07)
    slow = {
        "name": "latency",
        "kind": "histogram",
        "edges": [10, 20],
        "quantile": 0.9,
        "batches": [{"canary": {"counts": [0, 90 + n, 1]}, "baseline": {"counts": [90 + n, 9, 1]}} for n in range(12)],
    }
    assert answer(slow).metrics[0].classification is Classification.HIGH


def test_looking_every_so_many_batches_fails_sooner() -> None:
    assert answer(rate(), every=2).failed_at == 5


@pytest.mark.parametrize(
    ("metric", "whole", "expected"),
    [
        (values(), {}, Direction.EITHER),
        (values(worse="up"), {}, Direction.INCREASE),
        (values(worse="down"), {}, Direction.DECREASE),
        (values(worse="down", direction="either"), {}, Direction.EITHER),
        (values(worse="down"), {"direction": "increase"}, Direction.INCREASE),
        (rate(), {}, Direction.INCREASE),
        (rate(worse="down"), {}, Direction.DECREASE),
    ],
)
def test_the_direction_of_a_metric(metric: Any, whole: dict[str, Any], expected: Direction) -> None:
    assert rule(metric, **whole).direction is expected


def test_what_is_said_of_all_metrics_may_be_said_otherwise_of_one() -> None:
    whole: dict[str, Any] = {
        "critical": True,
        "must_have_data": True,
        "effect_size": {"measure": "cles", "allowed_increase": 0.7},
        "outliers": {"strategy": "remove"},
    }
    assert rule(values(), **whole).effect_size.measure is EffectMeasure.CLES
    assert rule(values(), **whole).critical
    assert rule(values(), **whole).must_have_data
    assert rule(values(), **whole).outlier_factor == 3.0
    own = rule(values(critical=False, effect_size={"allowed_increase": 1.2}, must_have_data=False), **whole)
    assert own.effect_size.measure is EffectMeasure.MEAN_RATIO
    assert not own.critical
    assert not own.must_have_data


def test_groups_and_critical_metrics_are_named_at_the_metric_or_above() -> None:
    named = recording(
        values(group="system"), rate(), groups={"system": 40, "errors": {"weight": 60, "metrics": ["errors"]}}
    )
    assert [one.mann_whitney.groups for one in named.metrics] == [("system",), ("errors",)]
    assert named.mann_whitney.groups == {"system": 40, "errors": 60}
    assert rule(values(), rate(), groups={"system": ["cpu"]}).groups == ("system",)
    assert [one.mann_whitney.critical for one in recording(values(), rate(), critical=["errors"]).metrics] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"pass": 60, "marginal": 75}, '"marginal" is 75, above "pass": 60'),
        ({"critical": ["ram"]}, 'critical names the metric "ram", which is not there'),
        ({"critical": "cpu"}, "expected true, false, or a list of metrics"),
        ({"groups": {"a": ["ram"]}}, 'the group "a" names the metric "ram", which is not there'),
        ({"groups": {"a": 100}}, 'no metric belongs to the group "a"'),
        ({"groups": {"a": {"weight": 0, "metrics": ["cpu"]}}}, "the groups weigh nothing"),
        ({"effect_size": 0.5}, "an effect size of 0.5 is a decrease"),
        ({"confidence": 98}, "confidence"),
        ({"effect_size": {"allowed": 2}}, 'unknown key "allowed" (did you mean "allowed_'),
        ({"failure_limit": 1}, '"failure_limit" belongs to the method "threshold"'),
    ],
)
def test_what_cannot_be_meant_is_said(words: dict[str, Any], said: str) -> None:
    assert said in refused(values(), **words)


def test_a_metric_without_a_group_that_would_count_for_nothing_is_said() -> None:
    assert '"errors", whose group has no weight, counts for nothing' in refused(
        values(group="a"), rate(), groups={"a": 100}
    )


def test_words_of_another_method_are_refused() -> None:
    assert '"confidence" belongs to the method "mann_whitney"' in refused(values(), method="sequential", confidence=0.9)
    assert '"limit" of cpu belongs to the method "threshold"' in refused(values(limit=3))
    assert '"interval" belongs to the method "mann_whitney" and "threshold"' in refused(
        values(), method="sequential", interval=4
    )
    assert '"tolerance" belongs to the method' in refused(values(), method="threshold", tolerance=0.25)


def test_limits_are_numbers_or_beside_the_baseline() -> None:
    def limit(written: Any) -> Limit | None:
        return recording(rate(limit=written), method="threshold").metrics[0].threshold.limit

    assert limit(0.05) == limit({"absolute": 0.05}) == Limit(absolute=0.05)
    assert limit({"ratio": 1.5, "floor": 0.01}) == Limit(ratio=1.5, floor=0.01)
    assert "a limit is absolute, or a ratio with a floor" in refused(rate(limit={}), method="threshold")
    assert '"within" without "limit"' in refused(rate(within=0.01), method="threshold")


def test_a_row_of_failures_is_the_only_limit_where_it_is_the_only_one_written() -> None:
    assert recording(rate(), method="threshold").metrics[0].threshold.failure_limit == 0
    row = recording(rate(), rate("slow", failure_limit=2), method="threshold", consecutive_failures=3)
    assert [one.threshold.failure_limit for one in row.metrics] == [None, 2]
    assert [one.threshold.consecutive_failures for one in row.metrics] == [3, 3]


def test_the_schema_knows_the_short_forms() -> None:
    schema = Draft202012Validator(judge_file.json_schema())
    groups = {"a": 60, "b": ["cpu"], "c": {"weight": 40}}
    assert schema.is_valid({"method": "mann_whitney", "groups": groups, "critical": True, "metrics": [values()]})
    assert schema.is_valid({"method": "threshold", "metrics": [rate(limit=0.05), rate(limit={"ratio": 2})]})
    assert not schema.is_valid({"method": "threshold", "metrics": [rate(limit="much")]})


def test_weights_are_relative_where_each_group_has_one() -> None:
    halves = recording(values(group="a"), rate(groups="b"), groups={"a": 0.5, "b": 1.5})
    assert halves.mann_whitney.groups == {"a": 25, "b": 75}
    rest = recording(values(group="a"), rate(), groups={"a": 40})
    assert rest.mann_whitney.groups == {"a": 40}


@pytest.mark.parametrize(
    "written",
    [
        {"allowedIncrease": 1.25, "allowedDecrease": 0.8, "measure": "meanRatio"},
        {"allowed_increase": 1.25, "allowed_decrease": 0.8},
        1.25,
    ],
)
def test_an_effect_size_may_be_spelled_as_kayenta_does_or_be_a_ratio(written: Any) -> None:
    effect = rule(values(effect_size=written)).effect_size
    assert (effect.allowed_increase, effect.allowed_decrease) == (1.25, 0.8)
    assert effect.measure is EffectMeasure.MEAN_RATIO


@pytest.mark.parametrize("method", ["mann_whitney", "threshold"])
@pytest.mark.parametrize("written", ["Infinity", "-Infinity", "NaN", "1e308", "null"])
def test_a_value_without_end_is_a_missing_one(method: str, written: str) -> None:
    text = json.dumps({"method": method, "metrics": [values(canary=[*CALM[:9], 7e77])]}).replace("7e+77", written)
    recorded = judge_file.load(text.encode(), "figures.json").rollouts
    (found,) = judge_recordings(recorded)
    assert found.verdict is Verdict.PASS
    assert isfinite(found.metrics[0].estimate or 0.0)
