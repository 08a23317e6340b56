"""What a user relies on in `tidegate policy test` and `tidegate policy show`."""

from __future__ import annotations

from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer, run_document

PIPELINE = """\
service: shop
build: {steps: [{name: test, run: make test}]}
stages:
  - name: production
    environment: production
    steps: [{name: s, run: x}]
    gate: {policy: release.tests.failed == 0}
"""
CASES = """\
cases:
  - {name: all pass, stage: production, evidence: {release: {tests: {failed: 0}}}, expect: true}
  - {name: one fails, stage: production, evidence: {release: {tests: {failed: 1}}}, expect: false}
  - {name: no report, stage: production, expect: "missing: release"}
"""


def test_cases_that_are_as_expected_end_with_0(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text(PIPELINE)
    (alone.cwd / "cases.yaml").write_text(CASES)
    ended = alone("policy", "test", "cases.yaml")
    assert (ended.code, ended.out) == (0, "ok      all pass\nok      one fails\nok      no report\n")
    document = alone("policy", "test", "cases.yaml", "--json").document
    assert document["ok"] is True
    assert [one["said"] for one in document["cases"]] == ["true", "false", "missing: release"]
    assert document["cases"][1]["policies"][0]["inputs"] == {"release.tests.failed": 1}


def test_a_case_that_is_not_as_expected_ends_with_1_and_says_what_was_read(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text(PIPELINE)
    (alone.cwd / "cases.yaml").write_text(CASES.replace("expect: false", "expect: true"))
    ended = alone("policy", "test", "cases.yaml")
    assert ended.code == 1
    assert "failed  one fails (cases.yaml:3): expected true, said false\n" in ended.out
    assert "the policy does not hold: release.tests.failed is 1" in ended.out
    assert "2 of 3 cases are as expected" in ended.err


def test_mistakes_in_the_cases_and_in_the_pipeline_are_told_with_their_places(alone: Command) -> None:
    (alone.cwd / "cases.yaml").write_text(CASES.replace("failed: 0", "faild: 0"))
    ended = alone("policy", "test", "cases.yaml")
    assert ended.code == 1
    assert 'cases.yaml:2:70: release.tests has no "faild" (did you mean "failed"?)' in ended.out
    (alone.cwd / "cases.yaml").write_text(CASES)
    missing = alone("policy", "test", "cases.yaml")
    assert (missing.code, "pipeline: FILE" in missing.err) == (2, True)
    (alone.cwd / "tidegate.yaml").write_text(PIPELINE.replace("tests.failed", "tests.faild"))
    broken = alone("policy", "test", "cases.yaml", "--json")
    assert broken.code == 1
    (problem,) = broken.document["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("tidegate.yaml", 7, 34)
    assert alone("policy", "test", "nothing.yaml").code == 2


def test_the_evidence_of_a_run_is_shown_for_the_stage_in_question(contract: ContractServer, tidegate: Command) -> None:
    stages = [{"name": "staging", "state": "passed"}, {"name": "load test", "state": "gate"}]
    run = run_document("waiting", stages=stages)
    contract.answer("GET", f"/runs/{run['id']}", run)
    answer = {
        "service": "shop",
        "release": "r1",
        "stage": "load test",
        "evidence": {"release": {"tests": {"failed": 2}}, "stages": {"load test": {"state": "gate"}}, "changes": []},
        "missing": [{"place": "release.scan", "because": "no scan was reported"}],
        "policies": [{"source": "tidegate.yaml", "text": "the policy does not hold: release.tests.failed is 2"}],
        "policy_alone": "policy would wait: the policy does not hold: release.tests.failed is 2",
        "foretold": ["at 20 requests a minute of which 0.1% fail, 5% shows no harm at all within 30m"],
    }
    contract.answer("GET", f"/runs/{run['id']}/stages/load%20test/evidence", answer)
    ended = tidegate("policy", "show", str(run["id"]))
    assert ended.code == 0
    assert "  release.tests.failed: 2\n" in ended.out
    assert '  stages["load test"].state: gate\n' in ended.out
    assert "  release.scan: missing, no scan was reported\n" in ended.out
    assert "the rollout: at 20 requests a minute of which 0.1% fail, 5% shows no harm at all within 30m\n" in ended.out
    assert ended.out.endswith("policy would wait: the policy does not hold: release.tests.failed is 2\n")
    assert tidegate("policy", "show", str(run["id"]), "--json").document == answer
