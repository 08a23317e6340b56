"""`tidegate judge`: one recording or many, from a file or standard input, without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def recording(failing: int) -> dict[str, Any]:
    batch = {"canary": {"n": 200, "x": failing}, "baseline": {"n": 200, "x": 1}}
    return {"method": "sequential", "metrics": [{"name": "errors", "kind": "rate", "batches": [batch] * 60}]}


def judge(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegate.cli.main", "judge", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_a_bad_recording_fails_with_exit_code_1_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "rollout.json"
    file.write_text(json.dumps(recording(20)))
    ran = judge(str(file), "--json")
    assert ran.returncode == 1
    answer = json.loads(ran.stdout)
    assert list(answer)[:6] == ["verdict", "failed_at", "passed_at", "blamed", "metrics", "reason"]
    assert (answer["verdict"], answer["blamed"], answer["passed_at"]) == ("fail", "errors", None)
    (metric,) = answer["metrics"]
    assert set(metric) >= {"name", "evidence", "estimate", "interval"}
    plain = judge(str(file))
    assert plain.stdout.startswith("fail: errors: 10% of ")


def test_many_come_from_standard_input_and_a_failing_one_is_no_failure_of_the_command() -> None:
    given = json.dumps({"rollouts": [recording(1), recording(20), recording(1)]})
    ran = judge("-", "--json", given=given)
    assert ran.returncode == 0
    assert [one["verdict"] for one in json.loads(ran.stdout)["results"]] == ["pass", "fail", "pass"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "standard input is not JSON"),
        (json.dumps({**recording(1), "method": "guess"}), "standard input: method: "),
        (json.dumps({"rollouts": [recording(201)]}), "rollouts[0].metrics[0].batches[0].canary: x is 201"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2_and_no_traceback(given: str, words: str) -> None:
    ran = judge("-", given=given)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "next: tidegate schema --judge" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = judge(str(tmp_path / "none.json"))
    assert ran.returncode == 2
    assert f"there is no file {tmp_path / 'none.json'}" in ran.stderr
