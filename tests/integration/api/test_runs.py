"""A run over HTTP, from the commit to its end."""

from __future__ import annotations

import json

from tidegate.config import judge_file
from tidegate.model.recording import RateSide

from .world import AGENT, SECOND, World, eventually


def test_a_change_is_built_by_an_agent_waits_for_a_person_and_goes_to_production(world: World) -> None:
    run = world.add_shop()
    world.build()
    waiting = world.waits(run)
    assert [stage["state"] for stage in waiting["stages"]] == ["passed", "gate"]
    assert [one["command"] for one in waiting["next"]] == [f"tidegate approve {run}"]
    assert waiting["stages"][1]["gate"]["blocking"][0]["rule"] == "approvals"

    approval = world.post(f"/runs/{run}/approve", {"comment": "looks good"}, token=SECOND)
    assert (approval["actor"]["name"], approval["answer"]) == ("second", "approved")

    ended = world.ends(run)
    assert ended["status"] == "succeeded"
    assert ended["stages"][1]["opened_by"] == "approved by second"
    assert ended["next"] == []
    (status,) = world.get("/status", service="shop")
    production = status["environments"]["production"]
    assert production["commit"] == ended["commit"]
    assert production["release"] == ended["release"]
    assert production["shares"] == {ended["commit"][:8]: 1.0}
    assert production["address"].startswith("http://127.0.0.1:")


def test_a_canary_tells_its_shares_as_fractions_and_what_the_judge_said(world: World) -> None:
    world.shop_in_production()
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")
    (_, rollout) = world.ends(run)["rollouts"]
    assert [step["share"] for step in rollout["plan"]] == [0.05, 0.25, 1.0]
    assert rollout["share"] == 1.0
    assert rollout["judgement"]["verdict"] == "pass"
    assert {metric["unit"] for metric in rollout["judgement"]["metrics"]} == {"%", "ms"}


def test_what_verification_saw_is_there_to_be_judged_again(world: World) -> None:
    run = world.shop_in_production()
    (rollout,) = [one for one in world.get(f"/runs/{run}")["rollouts"] if one["stage"] == "production"]
    recording = world.get(f"/rollouts/{rollout['id']}/recording")
    (read,) = judge_file.load(json.dumps(recording).encode(), "the answer").rollouts
    (errors,) = read.metrics
    assert errors.name == "errors"
    assert errors.batches and all(batch.baseline is None for batch in errors.batches)
    assert sum(batch.canary.n for batch in errors.batches if isinstance(batch.canary, RateSide)) > 0
    with world.client() as client:
        assert client.get("/api/v1/rollouts/01hzzzzzzzzzzzzzzzzzzzzzzz/recording").status_code == 404


def test_a_rejected_run_says_who_and_why(world: World) -> None:
    run = world.add_shop()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/reject", {"stage": "production", "comment": "not on a Friday"}, token=SECOND)
    ended = world.ends(run)
    assert ended["status"] == "rejected"
    assert "rejected by second: not on a Friday" in ended["because"][0]["text"]


def test_a_held_run_waits_until_it_is_resumed(world: World) -> None:
    run = world.add_shop()
    assert world.post(f"/runs/{run}/hold")["held_by"] == "owner"
    world.build()
    waiting = world.waits(run)
    assert f"tidegate resume {run}" in [one["command"] for one in waiting["next"]]
    assert world.post(f"/runs/{run}/resume")["held_by"] is None


def test_a_failed_build_ends_the_run_and_can_be_tried_again(world: World) -> None:
    run = world.add_shop()
    world.build(fails=True)
    ended = world.ends(run)
    assert ended["status"] == "failed"
    assert "exit status 1" in ended["because"][0]["text"]
    assert [one["command"] for one in ended["next"]] == [f"tidegate retry {run}"]
    assert world.post(f"/runs/{run}/retry")["status"] == "running"
    world.build()
    world.waits(run)
    steps = {step["name"]: step for step in world.get(f"/runs/{run}")["steps"]}
    assert steps["unit tests"]["attempt"] == 2
    assert steps["unit tests"]["earlier"][0]["outcome"] == "failed"


def test_a_share_that_is_not_certain_yet_is_ended_by_a_person(world: World) -> None:
    from tidegate.model.verdict import Verdict

    world.shop_in_production()
    world.judge.verdict = Verdict.UNDECIDED
    run = world.push()
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")

    def _judging() -> bool:
        rollouts = world.get(f"/runs/{run}")["rollouts"]
        return len(rollouts) == 2 and rollouts[1]["state"] == "judging"

    eventually(_judging, "the first share")
    assert world.post(f"/runs/{run}/promote")["run"] == run
    eventually(lambda: world.get(f"/runs/{run}")["rollouts"][1]["step"] == 1 or None, "the second share")
    assert world.post(f"/runs/{run}/cancel")["cancel_asked_by"] == "owner"
    assert world.ends(run)["status"] == "cancelled"


def test_runs_come_in_pages_the_newest_first(world: World) -> None:
    runs = [world.add_shop(), *(world.push(f"Change {number}") for number in range(4))]
    first = world.get("/runs", service="shop", limit=3)
    second = world.get("/runs", service="shop", limit=3, before=first["next"])
    assert [one["id"] for one in (*first["items"], *second["items"])] == runs[::-1]
    assert second["next"] is None
    assert first["items"][0]["subject"] == "Change 3"


def test_an_id_may_be_written_in_either_case(world: World) -> None:
    run = world.add_shop()
    assert world.get(f"/runs/{run.upper()}")["id"] == run


def test_a_log_is_read_line_by_line_while_the_step_runs_and_says_when_it_is_over(world: World) -> None:
    run = world.add_shop()
    with world.client(AGENT) as agent:
        (lease,) = agent.post("/api/v1/agents/one/lease", json={"slots_free": 1, "held": []}).json()
        own = {"attempt": lease["attempt"], "fence": lease["fence"]}
        at = "2026-01-02T03:04:05.600Z"
        lines = [{"at": at, "text": "one"}, {"at": at, "text": "two"}]
        path = f"/api/v1/steps/{lease['step_run']}/log"
        assert agent.post(path, json={**own, "first": 0, "lines": lines}).json() == {"next": 2}
        assert agent.post(path, json={**own, "first": 1, "lines": lines[1:]}).json() == {"next": 2}
    step = lease["step_run"]
    assert world.get(f"/steps/{step}/log", first=1) == {
        "lines": [{"index": 1, "at": "2026-01-02T03:04:05.600000Z", "text": "two"}],
        "next": 2,
        "ended": False,
    }
    world.post(f"/runs/{run}/cancel")
    held = {"held": [{"step_run": step, **own}, {**own, "step_run": "x"}]}

    def renewal() -> dict[str, list[str]]:
        with world.client(AGENT) as agent:
            answer: dict[str, list[str]] = agent.post("/api/v1/agents/one/renew", json=held).json()
        return answer

    eventually(lambda: renewal()["cancel"] == [step], "the cancel")
    assert renewal()["refused"] == ["x"]
