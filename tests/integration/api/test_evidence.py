"""The evidence at a gate: what policies decide with it, what a person sees of it, and that they looked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tidegate.model.approval import Seen
from tidegate.store import evidence_tables

from .world import ADMIN, AGENT, PIPELINE, SECOND, World, a_world, eventually

POLICIES = """\
    gate:
      approvals: {count: 1}
      policy:
        - {name: tests, expression: release.tests.failed == 0}
        - {name: scan, expression: release.scan.critical == 0, message: scan it first}
        - {name: old enough, expression: 'release.age >= duration("10m")'}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with a run that waits at a gate with policies."""
    with a_world(tmp_path_factory.mktemp("world")) as found:
        found.repositories.text = PIPELINE.replace("    gate: {approvals: {count: 1}}\n", POLICIES)
        yield found


@pytest.fixture(scope="module")
def run(world: World) -> str:
    """A run at the gate to production."""
    run = world.add_shop()
    world.build()
    world.waits(run)
    return run


def evidence(world: World, run: str, stage: str = "production") -> Any:
    return world.get(f"/runs/{run}/stages/{stage}/evidence")


def reasons(world: World, run: str) -> list[str]:
    gate = world.get(f"/runs/{run}")["stages"][1]["gate"]
    return [one["text"] for one in gate["because"] if one["rule"] == "policy"]


def looks(world: World) -> set[tuple[str, Seen, str]]:
    table = evidence_tables.evidence_view
    with world.database.reading() as connection:
        found = connection.execute(select(table.c.actor, table.c.what, table.c.stage))
        return {(one.actor, one.what, one.stage) for one in found}


def test_the_gate_waits_for_what_is_false_or_missing_and_says_which(world: World, run: str) -> None:
    assert reasons(world, run) == [
        'the policy "tests" holds: release.tests.failed is 0',
        'the policy "scan" waits: no scan was reported (release.scan)',
        'the policy "old enough" does not hold',
    ]


def test_a_yes_does_not_open_a_gate_whose_policies_do_not_hold(world: World, run: str) -> None:
    world.post(f"/runs/{run}/approve", {"comment": "looks good"})
    eventually(lambda: "approved" in str(world.get(f"/runs/{run}/events")), "the approval's event")
    assert world.waits(run)["stages"][1]["state"] == "gate"


def test_the_decision_keeps_expression_inputs_and_result(world: World, run: str) -> None:
    decided = [one for one in world.get(f"/runs/{run}/events") if one["kind"] == "gate.decided"]
    first = next(one for one in decided if one["data"].get("policies"))
    tests, scan, _ = first["data"]["policies"]
    assert (tests["expression"], tests["inputs"]) == ("release.tests.failed == 0", {"release.tests.failed": 0})
    assert (tests["answer"], scan["answer"], scan["missing"]) == ("true", "missing", "release.scan")
    assert first["data"]["policy_alone"].startswith('policy would wait: the policy "scan" waits: no scan')


def test_the_evidence_is_what_the_policies_read(world: World, run: str) -> None:
    found = evidence(world, run)
    assert found["evidence"]["release"]["tests"] == {"total": 12, "failed": 0, "skipped": 0}
    assert found["evidence"]["stages"]["staging"]["state"] == "passed"
    assert found["evidence"]["environment"] == {"name": "production", "protected": True, "frozen": False}
    assert found["evidence"]["changes"][0]["authors"] == [
        {"name": "Ada <b>", "email": "ada@example.com", "verified": False}
    ]
    assert {"place": "release.scan", "because": "no scan was reported"} in found["missing"]
    assert {"place": "environment.serving", "because": "nothing serves there yet"} in found["missing"]
    assert [one["answer"] for one in found["policies"]] == ["true", "missing", "false"]


def test_a_policy_that_waits_for_the_time_is_asked_again_by_itself(world: World, run: str) -> None:
    look_again = world.get(f"/runs/{run}")["stages"][1]["gate"]["look_again_at"]
    assert look_again is not None
    world.clock.forward(timedelta(minutes=11))
    world.queue.hint(f"run:{run}")
    eventually(lambda: 'the policy "old enough" holds' in reasons(world, run), "the answer after ten minutes")


def test_that_a_person_looked_is_recorded_once_and_said_with_the_approval(world: World, run: str) -> None:
    before = looks(world)
    for _ in range(2):
        with world.client(SECOND) as client:
            assert client.get(f"/api/v1/runs/{run}/stages/production/evidence").is_success
    assert looks(world) - before == {("second", Seen.EVIDENCE, "production")}
    given = world.post(f"/runs/{run}/approve", token=SECOND)
    assert given["looked_at"] == ["evidence"]


def test_what_is_not_there_is_told_and_nobody_is_said_to_have_looked(world: World, run: str) -> None:
    before = looks(world)
    with world.client(ADMIN) as client:
        unknown = client.get(f"/api/v1/runs/{run}/stages/nowhere/evidence")
        nothing = client.get("/api/v1/runs/01hzzzzzzzzzzzzzzzzzzzzzzz/stages/production/evidence")
    with world.client(AGENT) as client:
        refused = client.get(f"/api/v1/runs/{run}/stages/production/evidence")
    assert (unknown.status_code, nothing.status_code, refused.status_code) == (404, 404, 403)
    assert "it has staging, production" in unknown.json()["detail"]
    assert looks(world) == before


def test_a_run_without_a_release_has_no_evidence_yet(world: World, run: str) -> None:
    newer = world.push("Another")
    with world.client(ADMIN) as client:
        answer = client.get(f"/api/v1/runs/{newer}/stages/production/evidence")
    assert answer.status_code == 409
    assert "has no release yet" in answer.json()["detail"]


def test_a_release_enters_when_its_policies_hold_and_is_compared_with_what_serves(tmp_path: Path) -> None:
    with a_world(tmp_path) as world:
        gate = "    gate: {policy: 'release.tests.failed == 0 && stages.staging.state == \"passed\"'}\n"
        world.repositories.text = PIPELINE.replace("    gate: {approvals: {count: 1}}\n", gate)
        world.shop_in_production()
        run = world.push("Sell more")
        world.build()
        stage = world.waits(run)["stages"][1]
        assert [one["rule"] for one in stage["gate"]["blocking"]] == ["approvals"]
        found = evidence(world, run)
        assert found["policy_alone"] == "policy would open"
        assert found["evidence"]["environment"]["serving"]["order"] == 1
        assert found["evidence"]["release"]["coverage"] == {"line": 91.5, "change": 0.0}
        assert [one["subject"] for one in found["evidence"]["changes"]] == ["Sell more"]
        world.post(f"/runs/{run}/approve")
        assert world.ends(run)["status"] == "succeeded"
