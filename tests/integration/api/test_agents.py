"""Agents on other machines: tokens of their own, what they say of themselves, and what people do to them."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from tidegate.api import agents
from tidegate.engine import giving
from tidegate.engine.agents import FORGET_AFTER
from tidegate.model.agent import AWAY_AFTER
from tidegate.store import tables

from .test_leases import REPORT
from .test_people import told
from .world import AGENT, World, eventually

RECORDED = Path(__file__).parent / "recorded"
VERSION = version("tidegate")
MAJOR, MINOR = (int(part) for part in VERSION.split(".")[:2])
PLATFORM = {"os": "linux", "processor": "x86-64"}


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 0.2)


def _token(world: World, name: str) -> str:
    return str(world.post(f"/agents/{name}/token")["token"])


def _ask(client: httpx.Client, name: str, **said: Any) -> httpx.Response:
    body = {"slots_free": 1, "held": [], "slots": 2, "version": VERSION, "platform": PLATFORM, **said}
    return client.post(f"/api/v1/agents/{name}/lease", json=body)


def _leases(client: httpx.Client, name: str, **said: Any) -> list[dict[str, Any]]:
    answer = _ask(client, name, **said)
    assert answer.is_success, answer.text
    return list(answer.json())


def _shown(world: World, name: str) -> dict[str, Any]:
    return next(dict(one) for one in world.get("/agents") if one["name"] == name)


def _wait_ready(world: World) -> None:
    eventually(lambda: world.get("/queue")["total"] or None, "a ready step")


def _report(client: httpx.Client, lease: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"attempt": lease["attempt"], "fence": lease["fence"], "report": REPORT, **more}
    return client.post(f"/api/v1/steps/{lease['step_run']}/result", json=body)


def test_a_report_is_refused_where_its_times_are_none_and_kept_without_nul(world: World) -> None:
    """Else it would be an error of the server, and the agent would send it for ever."""
    world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = agent.post("/api/v1/agents/one/lease", json={"slots_free": 1, "held": []}).json()
        path, own = f"/api/v1/steps/{lease['step_run']}", {"attempt": lease["attempt"], "fence": lease["fence"]}
        now = world.clock.now().isoformat()
        report = {"outcome": "failed", "exit_code": 1, "detail": "exit\x00status", "began_at": now, "ended_at": now}
        never = {**report, "ended_at": "9999-12-31T23:59:59-14:00"}
        refused = agent.post(f"{path}/result", json={**own, "report": never})
        assert (refused.status_code, "times that UTC has" in refused.json()["detail"]) == (422, True)
        assert agent.post(f"{path}/result", json={**own, "report": report}).json() == {"accepted": True}
    assert "exit\ufffdstatus" in str([one["text"] for one in told(world)])


def test_an_agent_is_known_by_what_it_says(world: World) -> None:
    token = _token(world, "mac-1")
    assert _shown(world, "mac-1")["state"] == "never_seen"
    with world.client(token) as agent:
        _leases(agent, "mac-1", labels=["gpu"], instance="a", slots=3)
    shown = _shown(world, "mac-1")
    assert shown.pop("seen_at")
    assert shown == {
        "name": "mac-1",
        "state": "idle",
        "labels": ["gpu", "linux", "x86-64"],
        "slots": 3,
        "version": VERSION,
        "platform": "linux/x86-64",
        "drained_by": None,
        "own_token": True,
        "performs": [],
    }


def test_a_token_is_of_one_agent(world: World) -> None:
    token = _token(world, "one")
    with world.client(token) as agent:
        answer = _ask(agent, "two")
        assert answer.status_code == 403
        assert "this token is of the agent one, not of two" in answer.json()["detail"]
        assert "--name one" in answer.json()["remedy"]
        assert agent.post("/api/v1/agents/two/renew", json={"held": []}).status_code == 403
    assert [one["name"] for one in world.get("/agents")] == ["one"]


def test_an_agents_own_token_does_only_an_agents_work(world: World) -> None:
    with world.client(_token(world, "one")) as agent:
        for path in ("/api/v1/services", "/api/v1/queue", "/api/v1/agents"):
            assert agent.get(path).status_code == 403, path
        assert agent.post("/api/v1/agents/one/token").status_code == 403
        assert agent.post("/sign-in", data={"token": _token(world, "x")}).status_code in (401, 403)


def test_a_new_token_takes_the_place_of_the_old_one_and_neither_is_kept_as_it_is(world: World) -> None:
    old = _token(world, "one")
    new = _token(world, "one")
    with world.client(old) as agent:
        assert _ask(agent, "one").status_code == 401
    with world.client(new) as agent:
        assert _ask(agent, "one").is_success
    with world.database.reading() as connection:
        kept = str(connection.execute(tables.agent.select()).all()) + str(
            connection.execute(tables.event.select()).all()
        )
    assert old not in kept
    assert new not in kept


def test_a_repeated_request_for_a_token_is_not_answered_from_memory(world: World) -> None:
    with world.client() as admin:
        asked = [admin.post("/api/v1/agents/one/token", headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert asked[0]["token"] != asked[1]["token"]


def test_an_agent_neither_reports_nor_renews_nor_writes_for_another_ones_step(world: World) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as one, world.client(_token(world, "two")) as two:
        (lease,) = _leases(one, "one")
        held = {"step_run": lease["step_run"], "attempt": 1, "fence": lease["fence"]}
        assert _report(two, lease).status_code == 409
        lines = {"attempt": 1, "fence": lease["fence"], "first": 0, "lines": [{"at": REPORT["began_at"], "text": "x"}]}
        assert two.post(f"/api/v1/steps/{lease['step_run']}/log", json=lines).status_code == 409
        answer = two.post("/api/v1/agents/two/renew", json={"held": [held]}).json()
        assert answer["refused"] == [lease["step_run"]]
        assert one.post("/api/v1/agents/one/renew", json={"held": [held]}).json()["refused"] == []
        assert _report(one, lease).json() == {"accepted": True}
        assert _report(two, lease).status_code == 409


def test_an_agent_asks_with_its_result_in_its_own_name_only(world: World) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as one:
        (lease,) = _leases(one, "one")
        asked = {"slots_free": 1, "held": [], "version": VERSION}
        assert _report(one, lease, agent="two", next=asked).status_code == 403
        (package,) = _report(one, lease, agent="one", next=asked).json()["leases"]
    assert package["source"] == "server:/api/v1/git/shop.git"


def test_the_result_of_an_agent_that_gets_no_work_is_taken(world: World) -> None:
    run = world.add_shop()
    _wait_ready(world)
    with world.client(AGENT) as agent:
        (lease,) = _leases(agent, "one")
        asked = {"slots_free": 1, "held": [], "version": f"{MAJOR}.{MINOR + 2}.0"}
        assert _report(agent, lease, agent="one", next=asked).json() == {"accepted": True, "leases": []}
    assert world.get(f"/runs/{run}")["steps"][0]["state"] == "succeeded"
    assert world.get("/queue")["total"] == 1


def test_the_local_agent_reads_the_folder_and_others_read_through_the_server(world: World) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "far")) as far, world.client(AGENT) as local:
        (lease,) = _leases(far, "far")
        assert lease["source"] == "server:/api/v1/git/shop.git"
        assert _report(far, lease).is_success
        _wait_ready(world)
        (lease,) = _leases(local, "here")
        assert lease["source"] == "/repositories/shop"


def test_steps_go_only_where_all_their_labels_are(world: World) -> None:
    world.repositories.text = world.repositories.text.replace("run: make test", "run: make test, labels: [gpu, linux]")
    world.add_shop()
    _wait_ready(world)
    (waiting,) = world.get("/queue")["waiting"]
    assert (waiting["labels"], waiting["why"]) == (["gpu", "linux"], "no agent with gpu, linux asks for work")
    with world.client(_token(world, "plain")) as plain, world.client(_token(world, "big")) as big:
        assert _leases(plain, "plain") == []
        assert len(_leases(big, "big", labels=["gpu"])) == 1


def test_steps_that_wait_for_a_rare_label_hide_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving, "LOOKED_AT_EACH", 2)
    plain_text = world.repositories.text
    world.repositories.text = plain_text.replace("run: make test", "run: make test, labels: [gpu]")
    world.add_shop()
    for _ in range(3):
        world.push()
    lint = "run: make test, labels: [gpu]}\n    - {name: lint, run: make lint"
    world.repositories.text = plain_text.replace("run: make test", lint)
    world.push()
    eventually(lambda: world.get("/queue")["total"] == 6, "the steps of five runs")
    with world.client(_token(world, "plain")) as plain:
        assert [one["step"]["name"] for one in _leases(plain, "plain")] == ["lint"]


def test_a_drained_agent_gets_nothing_more_and_what_it_has_goes_on(world: World) -> None:
    run = world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        (lease,) = _leases(agent, "one")
        answer = world.post("/agents/one/drain")
        assert (answer["state"], answer["drained_by"]) == ("draining", "owner")
        assert [one["run"] for one in answer["performs"]] == [run]
        assert _report(agent, lease).json() == {"accepted": True}
        _wait_ready(world)
        assert _leases(agent, "one") == []
        assert _shown(world, "one")["state"] == "drained"
        (waiting,) = world.get("/queue")["waiting"]
        assert waiting["why"] == "every agent that could run it is being drained: one"
        world.post("/agents/one/resume")
        assert len(_leases(agent, "one")) == 1
        assert _shown(world, "one")["state"] == "busy"
    kinds = [event["kind"] for event in _events(world) if event["kind"].startswith("agent.")]
    assert kinds == ["agent.token", "agent.drained", "agent.resumed"]


def test_a_resumed_agent_that_waits_hears_of_it_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 20.0)
    monkeypatch.setattr(agents, "LOOK_AGAIN_SECONDS", 20.0)
    world.post("/agents/one/token")
    world.post("/agents/one/drain")
    with world.client(_token(world, "one")) as agent, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_leases, agent, "one")
        world.add_shop()
        _wait_ready(world)
        world.post("/agents/one/resume")
        assert len(waiting.result(timeout=10)) == 1


def test_an_agent_that_leaves_gets_nothing_and_is_asked_no_more(world: World) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        assert _leases(agent, "one", draining=True) == []
        assert _shown(world, "one")["state"] == "drained"
        assert len(_leases(agent, "one")) == 1


def test_what_a_removed_agent_has_is_lost_at_once_and_its_token_opens_nothing(world: World) -> None:
    retry = "run: make test, retry: {attempts: 2, causes: [lost]}"
    world.repositories.text = world.repositories.text.replace("run: make test", retry)
    run = world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "gone")) as gone, world.client(_token(world, "other")) as other:
        (lost,) = _leases(gone, "gone")
        with world.client() as admin:
            assert admin.delete("/api/v1/agents/gone").json() == {"agent": "gone", "lost": 1}
            assert admin.delete("/api/v1/agents/gone").status_code == 404
        assert _ask(gone, "gone").status_code == 401
        assert _report(gone, lost).status_code == 401
        _wait_ready(world)
        (again,) = _leases(other, "other")
        assert (again["step_run"], again["attempt"]) == (lost["step_run"], 2)
        assert _report(other, again).json() == {"accepted": True}
    step = world.get(f"/runs/{run}")["steps"][0]
    assert step["state"] == "succeeded"
    texts = [event["text"] for event in _events(world)]
    assert "owner removed the agent gone" in texts
    assert "build: unit tests lost: owner removed the agent gone" in texts


def test_an_agent_that_is_removed_while_it_waits_is_given_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 3.0)
    with world.client(_token(world, "gone")) as gone, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_leases, gone, "gone")
        eventually(lambda: _shown(world, "gone")["state"] == "idle", "the agent")
        with world.client() as admin:
            assert admin.delete("/api/v1/agents/gone").is_success
        run = world.add_shop()
        assert waiting.result(timeout=15) == []
    assert world.get(f"/runs/{run}")["steps"][0]["state"] == "ready"


def test_two_agents_of_one_name_do_not_take_each_others_steps(world: World) -> None:
    run = world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "twin")) as agent:
        (lease,) = _leases(agent, "twin", instance="first")
        answer = _ask(agent, "twin", instance="second")
        assert answer.status_code == 409
        assert "another agent called twin" in answer.json()["detail"]
        assert "--name" in answer.json()["remedy"]
        assert _report(agent, lease).json() == {"accepted": True}
        _move_into_the_past(world, "twin", AWAY_AFTER)
        _wait_ready(world)
        assert len(_leases(agent, "twin", instance="second")) == 1
    assert [step["attempt"] for step in world.get(f"/runs/{run}")["steps"]] == [1, 1]


def test_an_agent_that_was_not_seen_for_a_minute_is_away(world: World) -> None:
    with world.client(_token(world, "one")) as agent:
        _leases(agent, "one")
        _move_into_the_past(world, "one", AWAY_AFTER)
        assert _shown(world, "one")["state"] == "away"
        world.add_shop()
        _wait_ready(world)
        (waiting,) = world.get("/queue")["waiting"]
        assert waiting["why"] == "no agent asks for work; one is away"


def test_a_full_agent_is_seen_by_its_renewals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.engine.agents.WRITE_EVERY", timedelta(0))
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        (lease,) = _leases(agent, "one", slots=1)
        _move_into_the_past(world, "one", AWAY_AFTER)
        held = {"step_run": lease["step_run"], "attempt": 1, "fence": lease["fence"]}
        agent.post("/api/v1/agents/one/renew", json={"held": [held]})
    assert _shown(world, "one")["state"] == "busy"


def test_an_agent_that_says_nothing_new_is_not_written_at_every_request(world: World) -> None:
    with world.client(_token(world, "one")) as agent:
        _leases(agent, "one")
        first = _shown(world, "one")["seen_at"]
        _leases(agent, "one")
        assert _shown(world, "one")["seen_at"] == first
        _leases(agent, "one", labels=["new"])
        assert _shown(world, "one")["seen_at"] > first


def test_agents_of_the_folders_token_are_forgotten_and_others_are_not(world: World) -> None:
    with world.client(AGENT) as local, world.client(_token(world, "own")) as own:
        _leases(local, "once")
        _leases(own, "own")
    for name in ("once", "own"):
        _move_into_the_past(world, name, FORGET_AFTER)
    world.api.agents.forget_unseen()
    assert [one["name"] for one in world.get("/agents")] == ["own"]


@pytest.mark.parametrize("other", [f"{MAJOR}.{MINOR + 1}.0", f"{MAJOR}.{MINOR}.99", None])
def test_an_agent_of_one_minor_release_more_or_less_gets_work(world: World, other: str | None) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        assert len(_leases(agent, "one", version=other)) == 1


@pytest.mark.parametrize("other", [f"{MAJOR}.{MINOR + 2}.0", f"{MAJOR + 1}.{MINOR}.0"])
def test_an_agent_too_far_from_the_server_is_told_both_versions_and_what_to_do(world: World, other: str) -> None:
    world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        answer = _ask(agent, "one", version=other)
    assert answer.status_code == 409
    assert other in answer.json()["detail"]
    assert VERSION in answer.json()["detail"]
    assert f"install Tidegate {VERSION}" in answer.json()["remedy"]
    assert world.get("/queue")["total"] == 1


@pytest.mark.parametrize("said", [{"version": "newest"}, {"labels": ["a b"]}, {"platform": {"os": ""}}, {"slots": -1}])
def test_what_an_agent_says_is_checked(world: World, said: dict[str, Any]) -> None:
    with world.client(_token(world, "one")) as agent:
        assert _ask(agent, "one", **said).status_code == 422


@pytest.mark.parametrize("file", ["agent-0.1-first.json", "agent-one-minor-newer.json"])
def test_recorded_agents_of_other_versions_perform_a_step(world: World, file: str) -> None:
    text = (RECORDED / file).read_text().replace("NEXT", f"{MAJOR}.{MINOR + 1}.0")
    run = world.add_shop()
    _wait_ready(world)
    with world.client(AGENT) as agent:
        (lease,) = agent.post("/api/v1/agents/one/lease", json=json.loads(text)["lease"]).json()
        assert lease["fence"] == 1
        said = json.loads(text.replace("STEP", lease["step_run"]))
        assert agent.post("/api/v1/agents/one/renew", json=said["renew"]).json() == {"cancel": [], "refused": []}
        path = f"/api/v1/steps/{lease['step_run']}"
        assert agent.post(f"{path}/log", json=said["log"]).json() == {"next": 1}
        assert agent.post(f"{path}/result", json=said["result"]).json() == {"accepted": True}
    step = eventually(lambda: world.get(f"/runs/{run}")["steps"][0], "the step")
    assert step["state"] == "succeeded"
    assert _shown(world, "one")["slots"] == 4


def test_the_queue_says_who_runs_what_and_in_which_order_the_rest_will_begin(world: World) -> None:
    first = world.add_shop()
    _wait_ready(world)
    with world.client(_token(world, "one")) as agent:
        (lease,) = _leases(agent, "one", slots=1)
        world.post("/services", {"repository": "/repositories/site", "name": "site"})
        second = world.push()
        queue = eventually(lambda: _with_waiting(world, 1), "the second step")
    (performed,) = queue["agents"][0]["performs"]
    assert performed.pop("began_at")
    assert performed == {
        "id": lease["step_run"],
        "run": first,
        "service": "shop",
        "commit": world.get(f"/runs/{first}")["commit"],
        "scope": "build",
        "name": "unit tests",
    }
    (waiting,) = queue["waiting"]
    assert (waiting["run"], waiting["why"]) == (second, "the only slot is taken, of one")


def test_agents_that_nobody_knows_cannot_be_drained_or_removed(world: World) -> None:
    with world.client() as admin:
        for method, path in (("POST", "/drain"), ("POST", "/resume"), ("DELETE", "")):
            answer = admin.request(method, f"/api/v1/agents/nosuch{path}")
            assert answer.status_code == 404
            assert answer.json()["remedy"] == "tidegate agents list"


def test_a_token_is_long_and_no_name_can_be_a_path(world: World) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", _token(world, "ada"))
    with world.client() as admin:
        for name in ("%2e%2e", "a%2Fb", "-x", "x" * 101, "%00"):
            assert admin.post(f"/api/v1/agents/{name}/token").status_code in (404, 422), name


def _with_waiting(world: World, count: int) -> dict[str, Any] | None:
    queue: dict[str, Any] = world.get("/queue")
    return queue if len(queue["waiting"]) == count else None


def _events(world: World) -> list[dict[str, Any]]:
    with world.client() as admin:
        return list(admin.get("/api/v1/events", params={"after": 0}, headers={"accept": "application/json"}).json())


def _move_into_the_past(world: World, name: str, span: timedelta) -> None:
    """As if the agent had been silent for so long."""
    with world.database.writing() as connection:
        then = world.clock.now() - span - timedelta(seconds=1)
        connection.execute(tables.agent.update().where(tables.agent.c.name == name).values(seen_at=then))
    world.api.agents._noted.pop(name, None)
