"""Agents: a step is one agent's at a time, and who lost it is refused whatever it sends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tidegate.api import agents

from .world import AGENT, World

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat()
REPORT = {"outcome": "succeeded", "exit_code": 0, "detail": "", "began_at": NOW, "ended_at": NOW}


def _lease(agent: httpx.Client, name: str = "one", slots: int = 1, held: list[Any] | None = None) -> list[Any]:
    answer = agent.post(f"/api/v1/agents/{name}/lease", json={"slots_free": slots, "held": held or []})
    assert answer.is_success, answer.text
    return list(answer.json())


def _own(lease: dict[str, Any]) -> dict[str, Any]:
    return {"attempt": lease["attempt"], "fence": lease["fence"]}


def _report(agent: httpx.Client, lease: dict[str, Any], **changed: Any) -> httpx.Response:
    body = {**_own(lease), "report": REPORT, **changed}
    return agent.post(f"/api/v1/steps/{lease['step_run']}/result", json=body)


def test_a_step_is_given_to_one_of_many_agents_that_ask_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 0.2)
    run = world.add_shop()
    with world.client(AGENT) as agent, ThreadPoolExecutor(6) as pool:
        found = [lease for leases in pool.map(lambda n: _lease(agent, f"agent {n}"), range(6)) for lease in leases]
    (step,) = [one for one in world.get(f"/runs/{run}")["steps"] if one["state"] == "running"]
    assert [lease["step_run"] for lease in found] == [step["id"]]
    assert step["agent"].startswith("agent ")


def test_an_agent_without_room_is_answered_at_once(world: World) -> None:
    world.add_shop()
    with world.client(AGENT) as agent:
        assert _lease(agent, slots=0) == []


def test_an_agent_that_waits_hears_of_new_work_at_once(world: World) -> None:
    with world.client(AGENT) as agent, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_lease, agent)
        world.add_shop()
        (lease,) = waiting.result(timeout=15)
    assert lease["step"]["name"] == "unit tests"


def test_a_fence_that_is_not_the_leases_is_refused_and_changes_nothing(world: World) -> None:
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        path = f"/api/v1/steps/{lease['step_run']}"
        lines = [{"at": NOW, "text": "from the past"}]
        for changed in ({"fence": lease["fence"] + 1}, {"attempt": lease["attempt"] + 1}, {"fence": 0}):
            refused = _report(agent, lease, **changed)
            assert refused.status_code == 409, changed
            assert "no longer yours" in refused.json()["detail"]
            body = {**_own(lease), "first": 0, "lines": lines, **changed}
            assert agent.post(f"{path}/log", json=body).status_code == 409, changed
        assert world.get(f"/steps/{lease['step_run']}/log")["lines"] == []
        assert world.get(f"/runs/{run}")["steps"][0]["state"] == "running"
        assert _report(agent, lease).json() == {"accepted": True}


def test_an_agent_that_lost_its_step_is_refused_once_another_has_it(world: World) -> None:
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (first,) = _lease(agent)
        assert _report(agent, first, report={**REPORT, "outcome": "lost", "exit_code": None}).is_success
        world.ends(run)
        world.post(f"/runs/{run}/retry")
        (second,) = _lease(agent, "two")
        assert second["step_run"] == first["step_run"]
        assert second["fence"] > first["fence"]
        assert _report(agent, first).status_code == 409
        renewed = agent.post(
            "/api/v1/agents/one/renew", json={"held": [{"step_run": first["step_run"], **_own(first)}]}
        ).json()
        assert renewed["refused"] == [first["step_run"]]
        assert _report(agent, second).json() == {"accepted": True}


def test_the_same_result_again_is_taken_and_changes_nothing(world: World) -> None:
    """The answer to the first may have been lost."""
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        assert _report(agent, lease).json() == {"accepted": True}
        before = world.get(f"/runs/{run}/events")
        assert _report(agent, lease).json() == {"accepted": True}
        after = [one for one in world.get(f"/runs/{run}/events") if one["kind"] == "step.ended"]
    assert after == [one for one in before if one["kind"] == "step.ended"]
    assert len(after) == 1


def test_log_lines_with_a_gap_are_not_kept_and_the_missing_one_is_asked_for(world: World) -> None:
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        path = f"/api/v1/steps/{lease['step_run']}/log"
        far = {**_own(lease), "first": 5, "lines": [{"at": NOW, "text": "six"}]}
        assert agent.post(path, json=far).json() == {"next": 0}
        assert world.get(f"/steps/{lease['step_run']}/log")["lines"] == []


def test_an_unknown_step_is_said_to_be_unknown(world: World) -> None:
    with world.client(AGENT) as agent:
        answer = _report(agent, {"step_run": "01nosuch", "attempt": 1, "fence": 1})
    assert answer.status_code == 404
