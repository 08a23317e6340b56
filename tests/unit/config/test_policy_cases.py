"""The file of cases for policies: what is read of it, and what is said of mistakes in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.config.policy_cases import load
from tidegate.config.problem import ConfigError
from tidegate.config.server_yaml import load as load_server
from tidegate.config.tidegate_yaml import load as load_pipeline
from tidegate.model.policy import PolicyAnswer
from tidegate.model.policy_case import Expected, try_case

PIPELINE = load_pipeline(
    """\
service: shop
build: {steps: [{name: test, run: make test}]}
stages:
  - {name: staging, environment: staging, steps: [{name: s, run: x}]}
  - name: production
    environment: production
    steps: [{name: s, run: x}]
    gate:
      policy:
        - {name: tests, expression: release.tests.failed == 0}
        - {name: scan, expression: release.scan.critical == 0}
"""
)


def cases(text: str) -> list[tuple[str, bool]]:
    found = load(text, "cases.yaml", lambda _: PIPELINE)
    return [(str(one.said), one.passed) for one in (try_case(case, "cases.yaml") for case in found)]


def case(**keys: str) -> str:
    return "cases:\n  - {name: x, " + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}\n"


FULL = "{release: {tests: {failed: 0}, scan: {critical: 0}}}"


@pytest.mark.parametrize(
    ("keys", "said", "passed"),
    [
        ({"policy": "'true'", "expect": "true"}, "true", True),
        ({"policy": "release.order > 3", "evidence": "{release: {order: 3}}", "expect": "true"}, "false", False),
        ({"policy": "release.order > 3", "expect": "'missing: release'"}, "missing: release", True),
        ({"policy": "1 / release.order > 3", "evidence": "{release: {order: 0}}", "expect": "error"}, "error", True),
        ({"stage": "production", "evidence": FULL, "expect": "true"}, "true", True),
        (
            {"stage": "production", "evidence": "{release: {tests: {failed: 0}}}", "expect": "'missing: release.scan'"},
            "missing: release.scan",
            True,
        ),
        ({"stage": "production", "evidence": "{release: {tests: {failed: 1}}}", "expect": "false"}, "false", True),
        ({"stage": "production", "evidence": FULL, "expect": "'missing: release.scan'"}, "true", False),
    ],
)
def test_a_case_says_what_the_policies_say_together(keys: dict[str, str], said: str, passed: bool) -> None:
    assert cases(case(**keys)) == [(said, passed)]


def test_times_durations_and_numbers_are_read_as_evidence_has_them() -> None:
    text = case(
        policy="'true'",
        evidence="{now: '2026-07-01T10:00:00+01:00', release: {age: 3d, coverage: {line: 80}}}",
        expect="true",
    )
    (only,) = load(text, "cases.yaml", lambda _: PIPELINE)
    assert only.evidence == {
        "now": datetime(2026, 7, 1, 9, tzinfo=UTC),
        "release": {"age": timedelta(days=3), "coverage": {"line": 80.0}},
    }
    assert (only.line, only.expected) == (2, Expected(PolicyAnswer.TRUE))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"policy": "▸relaese.order > 1", "expect": "true"}, 'there is no "relaese" here (did you mean "release"?)'),
        (
            {"stage": "▸producton", "expect": "true"},
            'tidegate.yaml has no stage "producton" (did you mean',
        ),
        ({"stage": "▸staging", "expect": "true"}, 'the stage "staging" of tidegate.yaml has no policy'),
        ({"policy": "'true'", "evidence": "{▸relaese: {}}", "expect": "true"}, 'the evidence has no "relaese" (did'),
        ({"policy": "'true'", "evidence": "{release: {tests: {failed: ▸'0'}}}", "expect": "true"}, "expected a whole"),
        ({"policy": "'true'", "evidence": "{release: {age: ▸3 days}}", "expect": "true"}, "expected a duration (write"),
        ({"policy": "'true'", "evidence": "{now: ▸yesterday}", "expect": "true"}, "expected a moment (write 2026-07"),
        ({"policy": "'true'", "evidence": "{service: {risk: ▸hgih}}", "expect": "true"}, 'it is never "hgih"'),
        ({"policy": "'true'", "evidence": "{changes: ▸3}", "expect": "true"}, "expected a list"),
        ({"policy": "'true'", "evidence": "{release: ▸3}", "expect": "true"}, "expected keys with values"),
        ({"policy": "'true'", "expect": "▸maybe"}, "expected true, false, error, or what is missing"),
    ],
)
def test_a_mistake_in_a_case_is_told_with_its_place(keys: dict[str, str], message: str) -> None:
    before, mark, after = case(**keys).partition("▸")
    assert mark
    with pytest.raises(ConfigError) as told:
        cases(before + after)
    (only,) = told.value.problems
    assert (only.line, only.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert str(only).partition(": ")[2].startswith(message)


@pytest.mark.parametrize("keys", [{"expect": "true"}, {"policy": "'true'", "stage": "production", "expect": "true"}])
def test_a_case_is_about_one_policy_or_one_stage(keys: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match='either a "policy" or a "stage"'):
        cases(case(**keys))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("environments:\n  production:\n    gate: {policy: relaese.order > 1}\n", "3:20"),
        ("floors:\n  - name: all\n    gate:\n      policy: [{name: x, expression: relaese.order > 1}]\n", "4:38"),
    ],
)
def test_a_policy_of_the_server_is_checked_too(text: str, place: str) -> None:
    with pytest.raises(ConfigError, match=f'{place}: there is no "relaese" here'):
        load_server(text)


def test_the_servers_policies_hold_for_the_environments_that_they_name() -> None:
    text = """\
environments:
  production: {protected: true, gate: {policy: risk.score < 50}}
floors:
  - {name: scanned, gate: {policy: [{name: scan, expression: release.scan.critical == 0, message: scan it}]}}
"""
    (production,) = load_server(text).environments.values()
    gates = [one.gate for one in production.floors]
    policies = [(gate.source, one.name, one.message) for gate in gates for one in gate.policies]
    assert policies == [("environment production", "policy", ""), ("floor scanned", "scan", "scan it")]
