"""A canary configuration of Kayenta says the same in `verify:`, and what has no counterpart is named with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.config.imports.kayenta import translate
from tidegate.config.imports.translation import Translation
from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.model.pipeline import Pipeline
from tidegate.model.recording import Method


def metric(name: str = "cpu", query: Any = None, canary: Any = None, **words: Any) -> Any:
    return {
        "name": name,
        "query": query or {"type": "prometheus", "customInlineTemplate": 'PromQL:cpu{pod=~"${scope}-.*"}'},
        "analysisConfigurations": {"canary": canary or {}},
        "groups": ["system"],
        "scopeName": "default",
        **words,
    }


def config(*metrics: Any, **words: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
        "metrics": list(metrics) or [metric()],
        "classifier": {"groupWeights": {"system": 100}, "scoreThresholds": {"pass": 90, "marginal": 60}},
        **words,
    }


def translated(plain: Any, **given: str) -> Translation:
    return translate(json.dumps(plain, indent=2), "canary.json", given)


def said(made: Translation) -> list[str]:
    return [one.message for one in made.missing]


def test_everything_that_kayenta_knows_of_a_metric_is_said() -> None:
    canary = {
        "direction": "increase",
        "nanStrategy": "replace",
        "critical": True,
        "mustHaveData": True,
        "muted": True,
        "effectSize": {
            "measure": "cles",
            "allowedIncrease": 0.7,
            "allowedDecrease": 0.3,
            "criticalIncrease": 0.9,
            "criticalDecrease": 0.1,
        },
        "outliers": {"strategy": "remove", "outlierFactor": 2.5},
    }
    made = translated(config(metric(canary=canary)))
    assert made.missing == ()
    assert made.verify == {
        "method": "mann_whitney",
        "pass": 90,
        "marginal": 60,
        "groups": {"system": 100},
        "metrics": {
            "cpu": {
                "source": "prometheus",
                "kind": "values",
                "query": 'cpu{pod=~"$deployment-.*"}',
                "groups": ["system"],
                "direction": "increase",
                "nan_strategy": "replace",
                "critical": True,
                "must_have_data": True,
                "muted": True,
                "effect_size": {
                    "measure": "cles",
                    "allowed_increase": 0.7,
                    "allowed_decrease": 0.3,
                    "critical_increase": 0.9,
                    "critical_decrease": 0.1,
                },
                "outliers": {"strategy": "remove", "factor": 2.5},
            }
        },
    }


def test_a_metrics_name_and_labels_are_the_average_that_kayenta_asks_for() -> None:
    query = {
        "type": "prometheus",
        "metricName": "cpu_usage",
        "customFilterTemplate": "pods",
        "labelBindings": ["zone='a'"],
        "groupByFields": ["pod", "node"],
    }
    templates = {"pods": "ns='${namespace}', pod=~'$\\{scope}-.*'"}
    made = translated(config(metric(query=query), templates=templates), namespace="shop")
    (words,) = made.verify["metrics"].values()
    assert words["query"] == "avg(cpu_usage{ns='shop',pod=~'$deployment-.*',zone='a'}) by (pod,node)"
    assert made.missing == ()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda one: {"canaryConfig": one, "executionRequest": {"thresholds": {"pass": 95, "marginal": 70}}},
        lambda one: {"canaryConfig": one, "scoreThresholds": {"pass": "95", "marginal": "70"}},
        lambda one: {"data": {"config": one}, "scoreThresholds": {"pass": 95, "marginal": 70}},
    ],
)
def test_inside_of_what_spinnaker_wraps_around_it_the_limits_of_the_execution_count(wrapped: Any) -> None:
    made = translated(wrapped(config()))
    assert (made.verify["pass"], made.verify["marginal"]) == (95, 70)
    assert list(made.verify["metrics"]) == ["cpu"]


@pytest.mark.parametrize(
    ("plain", "line", "message"),
    [
        (config(metric(canary={"wild": 1})), '"wild": 1', '"wild" is not translated'),
        (config(judge={"name": "other"}), '"name": "other"', 'the judge "other" is not known'),
        (config(judge={"judgeConfigurations": {"a": 1}}), '"judgeConfigurations": {', "are not translated"),
        (config(metric(query={"type": "datadog"})), '"type": "datadog"', '"cpu" comes from datadog'),
        (config(metric("x", {"type": "prometheus", "metricName": "up"})), '"query": {', "not tell the deployments"),
        (config(metric(canary={"direction": "up"})), '"direction": "up"', 'there is no direction "up"'),
        (config(classifier={"groupWeights": {"gone": 40}}), '"gone": 40', 'belongs to the group "gone"'),
        (config(strange=[1]), '"strange": [', '"strange" is not translated'),
    ],
)
def test_what_has_no_counterpart_is_named_with_its_line(plain: Any, line: str, message: str) -> None:
    lines = json.dumps(plain, indent=2).splitlines()
    found = next(one for one in translated(plain).missing if message in one.message)
    assert lines[found.line - 1].strip().startswith(line)


def test_an_argument_that_nobody_knows_stays_and_is_named_with_the_remedy() -> None:
    query = {"type": "prometheus", "customInlineTemplate": 'PromQL:x{s="${scope}",r="${region}"}'}
    made = translated(config(metric(query=query)))
    assert made.missing[0].message == 'the argument "region" has no value'
    assert made.missing[0].hint == "give it one: --arg region=VALUE"
    assert translated(config(metric(query=query)), region="eu").missing == ()


def test_without_one_of_its_groups_the_best_score_is_100_all_the_same() -> None:
    two = config(metric(), metric("errors", {"type": "newrelic"}, groups=["errors"]))
    two["classifier"]["groupWeights"] = {"system": 40, "errors": 60}
    made = translated(two)
    assert made.verify["groups"] == {"system": 40}
    assert "the weights of the groups make 40" in made.different[-1].message
    verify = in_a_stage(made).stages[0].verify
    assert verify is not None
    assert verify.mann_whitney.groups == {"system": 100}


def test_names_that_are_taken_or_hold_other_characters_are_changed_and_that_is_said() -> None:
    made = translated(config(metric("errors"), metric("CPU (avg, %)"), metric("CPU avg")))
    assert list(made.verify["metrics"]) == ["errors of the file", "CPU avg", "CPU avg 2"]
    assert len(made.different) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "no canary configuration"),
        ('{"canaryConfig": {"canaryConfigId": "6ab"}}', "by its id"),
        ("[1, 2]", "no canary configuration"),
        ("{", "not YAML"),
        ("", "empty"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        translate(text, "canary.json", {})


def test_tabs_between_the_words_and_characters_in_two_halves_are_json() -> None:
    assert translate(json.dumps(config(), indent="\t"), "canary.json", {}).missing == ()
    made = translated(config(name="shop \N{CANDLE}\N{GRINNING FACE}"))
    assert "\N{CANDLE}\N{GRINNING FACE}" in made.source


def test_the_yaml_says_above_it_what_is_missing() -> None:
    made = translated(config(metric(canary={"wild": 1})))
    assert "# NOT TRANSLATED:\n#   line " in made.yaml()
    assert '"wild" is not translated' in made.yaml()
    assert "\nverify:\n  method: mann_whitney\n" in made.yaml()


def in_a_stage(made: Translation) -> Pipeline:
    """The pipeline of a file with the translated part in a stage, as the server reads it."""
    head = "service: shop\nbuild: {steps: [{name: package, run: make}]}\nruntime: {command: ./serve}\n"
    part = "".join(f"    {line}\n" for line in made.yaml().splitlines())
    return load(f"{head}stages:\n  - name: production\n    environment: production\n{part}")


def test_the_part_is_what_a_stage_takes() -> None:
    canary = {"critical": True, "effectSize": {"allowedIncrease": 1.2}, "outliers": {"strategy": "remove"}}
    verify = in_a_stage(translated(config(metric(canary=canary)))).stages[0].verify
    assert verify is not None
    assert (verify.method, verify.mann_whitney.pass_score) == (Method.MANN_WHITNEY, 90)
    assert verify.metrics[0].comparison.effect_size.allowed_increase == 1.2
    assert verify.metrics[0].comparison.critical


@pytest.mark.parametrize(
    ("lasts", "soak"),
    [({"lifetimeDuration": "PT1H30M"}, "90m"), ({"lifetimeHours": "2"}, "2h"), ({"lifetimeDuration": "soon"}, None)],
)
def test_a_stage_says_how_long_and_how_often_it_looks(lasts: dict[str, str], soak: str | None) -> None:
    made = translated({"canaryConfig": config(), "canaryAnalysisIntervalMins": "30", **lasts})
    assert made.verify.get("soak") == soak
    assert made.verify["every"] == 30
    assert len(made.missing) == (soak is None)
    verify = in_a_stage(made).stages[0].verify
    assert verify is not None
    assert verify.mann_whitney.every == 30


def test_more_metrics_than_a_stage_takes_are_named() -> None:
    made = translated(config(*(metric(f"m{n}") for n in range(21))))
    assert "21 metrics are more than the 20 of a stage" in said(made)


def test_what_a_stage_does_not_take_is_said() -> None:
    unlabelled = translated(config(metric(query={"type": "prometheus", "metricName": "up"})))
    assert "the query does not name $deployment" in unlabelled.refused()[0]
    assert "#   repair what a stage does not take: the query does not name" in unlabelled.yaml()
    negative = config()
    negative["classifier"]["scoreThresholds"]["pass"] = -1
    assert "-1 is out of range: pass" in translated(negative).refused()[0]
    assert translated(config()).refused() == ()


def test_a_name_of_several_lines_stays_a_comment() -> None:
    assert in_a_stage(translated(config(name="shop\nservice: other"))).service == "shop"
