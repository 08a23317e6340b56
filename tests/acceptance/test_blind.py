"""A server that dies in the middle of a canary: after the stated time its share goes back by itself."""

from __future__ import annotations

import httpx

from .harness import Version, a_world, wait_for

BLIND = "{at_most: 5m, blind_after: 1s, traffic: {path: /, rate: 50/s}}"
CANARY = "{strategy: canary, shares: [{share: 50%, at_least: 1m}], keep_warm: 1m}"


def _answers(address: str, count: int) -> set[str]:
    with httpx.Client(base_url=address, timeout=10) as client:
        answers = [client.get("/") for _ in range(count)]
    assert all(one.is_success for one in answers)
    return {one.json()["version"] for one in answers}


def test_a_share_that_nobody_judges_goes_back_by_itself_and_the_server_tells_it_when_it_is_there_again() -> None:
    with a_world() as world:
        assert world.release(Version("first", {}, instances=1)) == "succeeded", world.log()
        address = world.url()
        run = world.run_of(world.commit(Version("second", {}, deploy=CANARY, verify=BLIND, instances=1)))
        wait_for(lambda: _answers(address, 20) == {"first", "second"}, "the canary's share")

        world.kill("server")
        # three batches of a second each, and a second between two looks
        wait_for(lambda: _answers(address, 20) == {"first"}, "the way back", limit=10)
        assert _answers(address, 100) == {"first"}

        world.start()

        def _told() -> str | None:
            told = [one["text"] for one in world.events(run) if one["kind"] == "rollout.fell_back"]
            return told[0] if told else None

        told = wait_for(_told, "what happened while no server was there", limit=10)
        assert "nobody judged the rollout for" in told and "went back by itself at" in told
        wait_for(lambda: _answers(address, 20) == {"first", "second"}, "the share that it had, judged again", limit=20)
        assert world.api("GET", f"/api/v1/runs/{run}")["status"] == "running"
        assert [one["kind"] for one in world.events(run)].count("rollout.fell_back") == 1
