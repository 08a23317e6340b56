"""Agents: a step is one agent's at a time, and who lost it is refused whatever it sends."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
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


def _report(agent: httpx.Client, lease: dict[str, Any], /, **changed: Any) -> httpx.Response:
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


def _next(agent: str = "one", **asked: Any) -> dict[str, Any]:
    return {"agent": agent, "next": {"slots_free": 1, "held": [], **asked}}


def test_the_answer_to_a_result_brings_the_next_step_to_an_agent_that_asks(world: World) -> None:
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        answer = _report(agent, lease, **_next(labels=["gpu"], memory_free=1)).json()
        (package,) = answer["leases"]
        assert answer["accepted"] is True
        assert (package["step"]["name"], package["fence"], package["source"]) == ("package", 1, "/repositories/shop")
        assert _report(agent, package, **_next()).json() == {
            "accepted": True,
            "leases": [],
            "began": [],
            "promises": [],
        }
    assert [step["agent"] for step in world.get(f"/runs/{run}")["steps"]] == ["one", "one"]


def test_an_agent_that_does_not_ask_is_answered_as_ever_and_asks_later(world: World) -> None:
    """As those of the releases before do."""
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        for half in ({"agent": "one"}, {"next": {"slots_free": 1, "held": []}}, {}):
            assert _report(agent, lease, **half).json() == {"accepted": True}
        (package,) = _lease(agent)
    assert package["step"]["name"] == "package"


def test_an_agent_that_waits_is_not_woken_for_what_another_one_got_with_its_result(world: World) -> None:
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        told = world.api.steps_ready.count
        (package,) = _report(agent, lease, **_next()).json()["leases"]
        assert world.api.steps_ready.count == told
        assert _report(agent, package).is_success


@pytest.mark.parametrize("changed", [{"slots_free": -1}, {"slots_free": 1001}, {"version": "newest"}])
def test_what_is_asked_with_a_result_is_checked(world: World, changed: dict[str, Any]) -> None:
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        assert _report(agent, lease, **_next(**changed)).status_code == 422
        assert _report(agent, lease, **_next("-x")).status_code == 422
        assert _report(agent, lease, fence=0, **_next()).status_code == 409
        assert _report(agent, lease).is_success


def test_a_request_that_crosses_an_answer_is_soon_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer may be lost, which is found out with the next request."""
    monkeypatch.setattr(agents, "ON_ITS_WAY", timedelta(seconds=0.2))
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        assert _report(agent, lease, **_next()).json()["leases"]
        began = time.monotonic()
        assert _lease(agent) == []
        assert time.monotonic() - began < agents.LONG_POLL_SECONDS / 2


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


FILE = {"name": "shop", "file": "shop.whl", "digest": f"sha256:{'0' * 64}", "size": 1}
COUNTS = {"total": 3, "failed": 1, "skipped": 1}


LOADED = {"rate": 10, "sent": 150, "failed": 0, "sent_rate": 10, "answered_rate": 10, "p99": 5.0}
LOAD = {"steps": [LOADED], "began_at": NOW, "ended_at": NOW, "busiest": 600}


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"exit_code": 2**70}, "exit_code"),
    ({"exit_code": -(2**31) - 1}, "exit_code"),
    ({"line_coverage": -1}, "line_coverage"),
    ({"line_coverage": 100.5}, "line_coverage"),
    ({"image": "x" * 1001}, "image"),
    ({"load": {**LOAD, "steps": [LOADED] * 9}}, "load.steps are 8 at most"),
    ({"load": {**LOAD, "steps": [{**LOADED, "failed": 151}]}}, "failed has to lie between 0 and sent"),
    ({"load": {**LOAD, "steps": [{**LOADED, "p99": -1}]}}, "figures have to lie between"),
    ({"load": {**LOAD, "steps": [{**LOADED, "rate": 1e300}]}}, "figures have to lie between"),
    ({"load": {**LOAD, "busiest": 0}}, "load.busiest"),
    ({"tests": {**COUNTS, "total": 2**70}}, "tests.total"),
    ({"tests": {**COUNTS, "failed": -1}}, "tests.failed"),
    ({"tests": {**COUNTS, "skipped": 3}}, "more failed or were skipped than there are"),
    ({"tests": {**COUNTS, "failures": ["x" * 301]}}, "tests.failures"),
    ({"tests": {**COUNTS, "failures": ["x"] * 201}}, "tests.failures"),
    ({"tests": {**COUNTS, "ran": "x" * 201}}, "tests.ran"),
    ({"artifacts": [{**FILE, "size": 2**63}]}, "artifacts: size"),
    ({"artifacts": [{**FILE, "size": -1}]}, "artifacts: size"),
    ({"artifacts": [{**FILE, "digest": "../../etc/passwd"}]}, "artifacts: digest"),
    ({"artifacts": [{**FILE, "file": "../shop.whl"}]}, "artifacts: file"),
    ({"artifacts": [{**FILE, "name": "x" * 256}]}, "artifacts: name"),
    ({"outputs": {**FILE, "size": 2**70}}, "outputs: size"),
]


def test_a_result_that_cannot_be_is_refused_and_says_what_is_wrong(world: World) -> None:
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        for said, says in IMPOSSIBLE:
            refused = _report(agent, lease, report={**REPORT, **said})
            assert (refused.status_code, says in refused.text) == (422, True), (said, refused.text)
        assert world.get(f"/runs/{run}")["steps"][0]["state"] == "running"
        whole = {**REPORT, "exit_code": 255, "line_coverage": 100, "tests": COUNTS, "artifacts": [FILE]}
        assert _report(agent, lease, report=whole).json() == {"accepted": True}


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_result_is_read_and_refused_in_one_way_however_it_is_sent(world: World, content_type: str) -> None:
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        address = f"/api/v1/steps/{lease['step_run']}/result"

        def sent(client: httpx.Client, path: str = address, /, **changed: Any) -> tuple[int, str]:
            body = json.dumps({**_own(lease), "report": REPORT, **changed})
            answer = client.post(path, content=body, headers={"content-type": content_type})
            return answer.status_code, answer.text

        assert sent(agent, report=3)[0] == sent(agent, fence=-1)[0] == sent(agent, "/api/v1/steps/-/result")[0] == 422
        assert "report" in sent(agent, report=3)[1]
        with world.client("nobody's") as stranger, world.client("") as nobody:
            assert sent(stranger)[0] == sent(nobody)[0] == 401
        assert sent(agent) == (200, '{"accepted":true}')


def test_words_without_an_end_are_cut_and_the_result_is_taken(world: World) -> None:
    """An agent would send it again for ever."""
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = _lease(agent)
        said = {**REPORT, "outcome": "failed", "exit_code": 1, "detail": "x" * 50_000}
        assert _report(agent, lease, report=said).json() == {"accepted": True}
    detail = world.get(f"/runs/{run}")["steps"][0]["detail"]
    assert len(detail) == 10_000
    assert detail.endswith("x …")


def test_numbers_that_no_lease_has_are_refused(world: World) -> None:
    with world.client(AGENT) as agent:
        for field in ("attempt", "fence", "first"):
            body = {"attempt": 1, "fence": 1, "first": 0, "lines": [], field: 2**70}
            refused = agent.post("/api/v1/steps/01nosuch/log", json=body)
            assert (refused.status_code, f"body.{field}" in refused.text) == (422, True), refused.text
