"""An AnalysisTemplate of Argo Rollouts says the same in `verify:`, and what has no counterpart is named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tidegate.config.imports import conditions
from tidegate.config.imports.analysis_template import translate
from tidegate.config.imports.conditions import Limits, Nothing
from tidegate.config.imports.promql import with_deployment, with_window
from tidegate.config.imports.translation import Translation
from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.model.pipeline import Pipeline
from tidegate.model.recording import Method, Worse
from tidegate.model.threshold import Limit

HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: success-rate}}
spec:
  args:
    - name: service-name
    - {{name: port, value: "9090"}}
  metrics:
"""
METRIC = """\
    - name: success-rate
      interval: 5m
      {words}
      provider:
        prometheus:
          address: http://prometheus:{{{{args.port}}}}
          query: |
            sum(rate(requests{{service="{{{{args.service-name}}}}",code!~"5.*"}}[5m])) /
            sum(rate(requests{{service="{{{{ args.service-name }}}}"}}[5m]))
"""
SUCCESS = "successCondition: result[0] >= 0.95"


def template(words: str = SUCCESS, kind: str = "AnalysisTemplate", more: str = "") -> str:
    return HEAD.format(kind=kind) + METRIC.format(words=words) + more


def translated(text: str, **given: str) -> Translation:
    return translate(text, "template.yaml", given)


def words_of(made: Translation) -> dict[str, Any]:
    (words,) = made.verify["metrics"].values()
    return dict(words)


@pytest.mark.parametrize("kind", ["AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"])
def test_a_success_rate_says_the_same(kind: str) -> None:
    made = translated(template(SUCCESS + "\n      failureLimit: 3\n      count: 4", kind))
    assert made.missing == ()
    assert (made.verify["method"], made.verify["soak"]) == ("threshold", "20m")
    words = words_of(made)
    assert words.pop("query") == (
        'sum(rate(requests{deployment="$deployment",service="$service",code!~"5.*"}[$window])) /\n'
        'sum(rate(requests{deployment="$deployment",service="$service"}[$window]))'
    )
    assert words == {
        "source": "prometheus",
        "kind": "values",
        "window": "5m",
        "worse": "down",
        "limit": 0.95,
        "failure_limit": 3,
    }
    assert "url: http://prometheus:9090" in made.next_steps[0]
    assert 'deployment="$deployment"' in made.different[0].message


@pytest.mark.parametrize(
    ("success", "failure", "expected"),
    [
        ("result[0] >= 0.95", None, Limits(Worse.DOWN, 0.95)),
        ("result > 0.95", None, Limits(Worse.DOWN, 0.95, differs_at_limit=True)),
        ("result[0] <= 0.05", None, Limits(Worse.UP, 0.05)),
        ("0.05 > result[0]", None, Limits(Worse.UP, 0.05, differs_at_limit=True)),
        ("len(result) == 0 || result[0] >= 1e-2", None, Limits(Worse.DOWN, 0.01, nothing=Nothing.HOLDS)),
        ("isNaN(result[0]) || (result[0] <= .5)", None, Limits(Worse.UP, 0.5, nothing=Nothing.HOLDS)),
        ("len(result) > 0 && result[0] < 5", None, Limits(Worse.UP, 5, None, True, Nothing.FAILS)),
        ("default(result, 0) <= 0.05", None, Limits(Worse.UP, 0.05, nothing=Nothing.HOLDS)),
        ("all(result, # < 0.5)", None, Limits(Worse.UP, 0.5, differs_at_limit=True)),
        ("(result[0] <= 0.05)", None, Limits(Worse.UP, 0.05)),
        (None, "result[0] >= 10", Limits(Worse.UP, 10, differs_at_limit=True)),
        (None, "result[0] < 0.9", Limits(Worse.DOWN, 0.9)),
        (None, "len(result) == 0 || result[0] < 0.9", Limits(Worse.DOWN, 0.9, nothing=Nothing.FAILS)),
        ("result[0] > 2", "isNaN(result) || result[0] < 1", Limits(Worse.DOWN, 1, 2, False, Nothing.FAILS)),
        ("result[0] <= 1", "result[0] > 2", Limits(Worse.UP, 2, within=1)),
        ("result[0] >= 0.95", "result[0] < 0.9", Limits(Worse.DOWN, 0.9, within=0.95)),
        ("result[0] >= 0.95", "result[0] < 0.95", Limits(Worse.DOWN, 0.95)),
        ("result[0] <= 3", "result[0] > 2", Limits(Worse.UP, 2)),
    ],
)
def test_conditions_are_understood_by_their_shape(success: str | None, failure: str | None, expected: Limits) -> None:
    both = [conditions.parse(one) if one else None for one in (success, failure)]
    assert conditions.limits(*both) == expected


@pytest.mark.parametrize(
    "condition",
    [
        "result[0] >= 0.95 && result[1] >= 0.95",
        "result[0] > 1 && result[0] < 2",
        "result.ok == true",
        "result == 'true'",
        "len(result) == 0 || len(result) > 3",
        "result[0] / result[1] > 0.5",
        "",
    ],
)
def test_other_conditions_are_not_guessed_at(condition: str) -> None:
    assert conditions.parse(condition) is None


def test_conditions_that_look_in_the_same_direction_mean_nothing() -> None:
    assert conditions.limits(conditions.parse("result > 1"), conditions.parse("result > 2")) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("successCondition: result.ok", "a condition of a form that has no counterpart: result.ok"),
        ("count: 3", '"success-rate" has no condition'),
        (SUCCESS + "\n      consecutiveErrorLimit: 2", '"consecutiveErrorLimit: 2"'),
        (SUCCESS + "\n      initialDelay: 1m", '"success-rate" begins after 1m'),
        (SUCCESS + "\n      failureLimit: -1", 'a "failureLimit" below 0'),
        (SUCCESS + "\n      somethingNew: 3", '"somethingNew" is not translated'),
    ],
)
def test_what_has_no_counterpart_is_named(words: str, message: str) -> None:
    text = template(words)
    found = [one for one in translated(text).missing if message in one.message]
    assert found
    assert 9 <= found[0].line <= 13


def test_other_providers_and_documents_are_named() -> None:
    more = "    - name: load\n      provider: {job: {spec: {}}}\n---\nkind: Service\n---\n"
    made = translated(template(more=more))
    assert [one.message for one in made.missing] == [
        '"load" is measured by job',
        'a document of the kind "Service" is not translated',
    ]
    assert list(made.verify["metrics"]) == ["success-rate"]


def test_a_dry_run_decides_nothing_and_is_left_out() -> None:
    made = translated(template(more="  dryRun: [{metricName: succ.*}]\n"))
    assert made.verify["metrics"] == {}
    assert "is a dry run" in made.missing[0].message


def test_a_rollout_in_the_file_gives_its_arguments() -> None:
    query = 'requests{hash="{{args.version-of-it}}",ns="{{args.namespace}}"}'
    text = template() + (
        "    - name: more\n      successCondition: result < 3\n"
        f"      provider: {{prometheus: {{query: '{query}'}}}}\n"
        "---\nkind: Rollout\nspec:\n  strategy: {canary: {analysis: {args: [\n"
        "    {name: version-of-it, valueFrom: {podTemplateHashValue: Latest}}, {name: namespace, value: shop}]}}}\n"
    )
    made = translated(text)
    assert made.verify["metrics"]["more"]["query"] == 'requests{hash="$deployment",ns="shop"}'
    assert made.missing == ()
    assert translated(text, namespace="other").verify["metrics"]["more"]["query"].endswith('ns="other"}')


def test_an_argument_without_a_value_is_named() -> None:
    text = template().replace("service-name", "stable-hash")
    assert [one.message for one in translated(text).missing] == ['the argument "stable-hash" has no value']


def test_two_metrics_of_one_name_are_both_kept() -> None:
    both = translated(template() + "---\n" + template(kind="ClusterAnalysisTemplate"))
    assert list(both.verify["metrics"]) == ["success-rate", "success-rate 2"]


@pytest.mark.parametrize(
    ("query", "window"),
    [
        ("rate(x[5m]) / rate(y[5m])", "rate(x[$window]) / rate(y[$window])"),
        ('x{a="[5m]"}[1h30m]', 'x{a="[5m]"}[$window]'),
        ("x[5m:30s]", "x[5m:30s]"),
        ("x", "x"),
    ],
)
def test_the_range_of_a_query_is_the_window(query: str, window: str) -> None:
    assert with_window(query) == window


@pytest.mark.parametrize(
    ("query", "selecting"),
    [
        ('sum(x{a="{b}"}) by (c)', 'sum(x{deployment="$deployment",a="{b}"}) by (c)'),
        ("x{} / y{z='1'}", 'x{deployment="$deployment"} / y{deployment="$deployment",z=\'1\'}'),
        ("up", "up"),
    ],
)
def test_every_selector_selects_the_deployment(query: str, selecting: str) -> None:
    assert with_deployment(query) == selecting


def test_a_range_that_is_not_the_interval_stays() -> None:
    text = template().replace("interval: 5m", "interval: 1m")
    words = words_of(translated(text))
    assert words["window"] == "1m"
    assert "[5m]" in words["query"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Rollout\n", "there is no analysis template"),
        ("a: [\n", "not YAML"),
        ("", "empty"),
        ("--- \n---\n", "empty"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        translated(text)


def in_a_stage(made: Translation) -> Pipeline:
    """The pipeline of a file with the translated part in a stage, as the server reads it."""
    head = "service: shop\nbuild: {steps: [{name: package, run: make}]}\nruntime: {command: ./serve}\n"
    part = "".join(f"    {line}\n" for line in made.yaml().splitlines())
    return load(f"{head}stages:\n  - name: production\n    environment: production\n{part}")


def test_the_part_is_what_a_stage_takes() -> None:
    words = "successCondition: result[0] >= 0.95\n      failureCondition: result[0] < 0.9\n      failureLimit: 2"
    verify = in_a_stage(translated(template(words))).stages[0].verify
    assert verify is not None
    assert verify.method is Method.THRESHOLD
    rule = verify.metrics[0].threshold
    assert (rule.limit, rule.within) == (Limit(absolute=0.9), Limit(absolute=0.95))
    assert (rule.failure_limit, rule.inconclusive_limit) == (2, 0)
    assert verify.metrics[0].window == timedelta(minutes=5)
