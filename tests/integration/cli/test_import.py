"""What a user of another tool relies on: its file becomes YAML for a stage, and nothing is dropped silently."""

from __future__ import annotations

import json

import pytest
from ruamel.yaml import YAML
from tests.integration.cli.command_line import Command

TEMPLATE = """\
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
    - name: error-rate
      interval: 1m
      failureCondition: result[0] > 0.05
      wild: 3
      provider: {prometheus: {query: 'errors{pod_hash="{{args.latest-hash}}",region="{{args.region}}"}'}}
"""
CANARY = {
    "metrics": [
        {"name": "cpu", "query": {"type": "prometheus", "customInlineTemplate": 'PromQL:cpu{pod="${scope}"}'}},
    ]
}


def test_the_yaml_goes_to_standard_output_and_what_is_missing_to_standard_error(alone: Command) -> None:
    ended = alone("import", "analysis-template", "-", stdin=TEMPLATE)
    assert ended.code == 0
    verify = YAML(typ="safe").load(ended.out)["verify"]
    assert verify["metrics"]["error-rate"]["limit"] == 0.05
    assert 'tidegate: not translated: standard input:8:7: "wild" is not translated' in ended.err
    assert '#   line 8: "wild" is not translated' in ended.out


def test_arguments_are_given_and_the_yaml_goes_to_a_file(alone: Command) -> None:
    (alone.cwd / "template.yaml").write_text(TEMPLATE)
    words = ("import", "analysis-template", "template.yaml", "--output", "verify.yaml")
    ended = alone(*words, "--arg", "region=eu=1")
    assert (ended.code, ended.out) == (0, "")
    assert 'region="eu=1"' in (alone.cwd / "verify.yaml").read_text()
    assert alone(*words, "--arg", "region").code == 2


def test_json_holds_the_part_and_what_is_said_of_it(alone: Command) -> None:
    ended = alone("import", "kayenta", "-", "--json", stdin=json.dumps(CANARY))
    assert ended.code == 0
    assert ended.document["verify"]["metrics"]["cpu"]["query"] == 'cpu{pod="$deployment"}'
    assert ended.document["not_translated"] == []
    wrong = alone("import", "analysis-template", "-", "--json", stdin=TEMPLATE).document["not_translated"]
    assert [(one["line"], one["message"]) for one in wrong] == [
        (8, '"wild" is not translated'),
        (9, 'the argument "region" has no value'),
    ]


@pytest.mark.parametrize(
    ("kind", "stdin", "code"),
    [
        ("kayenta", "{", 2),
        ("kayenta", "{}", 2),
        ("analysis-template", "kind: Rollout", 2),
        ("kayenta", json.dumps({"metrics": [{"name": "x", "query": {"type": "datadog"}}]}), 1),
    ],
)
def test_a_file_of_which_nothing_can_be_translated(alone: Command, kind: str, stdin: str, code: int) -> None:
    ended = alone("import", kind, "-", stdin=stdin)
    assert ended.code == code
    assert "Traceback" not in ended.err
    assert alone("import", kind, "nosuch.json").code == 2
