"""Whatever is killed or stopped, at whatever moment: the run ends as it should, with every event once."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from _pytest.mark import ParameterSet

from .harness import Version, World, a_world, wait_for

CANARY = "{strategy: canary, shares: [50%], keep_warm: 1m}"
ONCE = (
    "run.created",
    "release.created",
    "stage.began",
    "stage.ended",
    "rollout.began",
    "rollout.passed",
    "rollback.decided",
    "rollback.routed",
    "run.ended",
)


def _slow(*values: str) -> ParameterSet:
    """One that `make kills` plays; the test command has a sample of them."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as started:
        assert started.release(Version("first", {})) == "succeeded", started.log()
        yield started


@contextmanager
def users(world: World) -> Iterator[list[str]]:
    """Somebody asks the service all the time; what failed but was not answered by a canary."""
    address, failures, stopping = world.url(), list[str](), threading.Event()
    (serving,) = world.placement()["shares"]

    def _ask() -> None:
        with httpx.Client(base_url=address, timeout=10) as client:
            while not stopping.wait(0.02):
                try:
                    answer = client.get("/")
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                else:
                    if answer.is_error and answer.json().get("version") != "second":
                        failures.append(f"{answer.status_code} {answer.text}")

    thread = threading.Thread(target=_ask, daemon=True)
    thread.start()
    try:
        yield failures
    finally:
        stopping.set()
        thread.join(15)
    assert serving


def _wait_for_event(world: World, run: str, kind: str) -> None:
    wait_for(lambda: any(event["kind"] == kind for event in world.events(run)) or None, f"{kind} of {run}")


def _begin(world: World, *, fails: float) -> str:
    verify = "{at_most: 2m, traffic: {path: /, rate: 50/s}}"
    commit = world.commit(Version("second", {"fails": fails}, deploy=CANARY, verify=verify))
    return world.run_of(commit)


def _check_end(world: World, run: str, wanted: str) -> None:
    told = [f"{event['kind']}: {event['text']}" for event in world.events(run)]
    assert world.ended(run) == wanted, "\n".join([*told, world.log()])
    counts = Counter(event["kind"] for event in world.events(run))
    assert {kind: count for kind, count in counts.items() if kind in ONCE and count != 1} == {}

    def _one_whole_version() -> dict[str, float] | None:
        shares = {label: share for label, share in world.placement()["shares"].items() if share}
        return shares if list(shares.values()) == [1.0] else None

    wait_for(_one_whole_version, "one version that serves alone")
    assert world.json("audit", "verify")["ok"]


@pytest.mark.parametrize(
    "moment",
    [
        _slow("step.began"),
        _slow("release.created"),
        _slow("rollout.began"),
        "rollout.shares",
        _slow("rollback.decided"),
    ],
)
def test_a_killed_server_delays_the_run_and_nothing_else(world: World, moment: str) -> None:
    fails = 0.5 if moment == "rollback.decided" else 0.0
    with users(world) as failures:
        run = _begin(world, fails=fails)
        _wait_for_event(world, run, moment)
        world.kill("server")
        world.start()
        _check_end(world, run, "rolled_back" if fails else "succeeded")
    assert failures == []


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        ("agent", "step.began"),
        _slow("agent", "rollout.began"),
        _slow("envoy", "rollout.began"),
        _slow("envoy", "rollout.shares"),
        _slow("supervisord", "step.began"),
        _slow("supervisord", "rollout.began"),
        ("supervisord", "rollout.shares"),
    ],
)
def test_a_killed_part_comes_back_and_the_run_ends(world: World, what: str, moment: str) -> None:
    run = _begin(world, fails=0.0)
    _wait_for_event(world, run, moment)
    world.kill(what)
    _check_end(world, run, "succeeded")


@pytest.mark.parametrize("what", ["server", _slow("agent"), _slow("envoy"), _slow("supervisord")])
def test_a_stopped_part_that_goes_on_later_does_no_harm(world: World, what: str) -> None:
    run = _begin(world, fails=0.0)
    _wait_for_event(world, run, "rollout.began")
    pid = world.kill(what, signal.SIGSTOP)
    resumed = threading.Timer(3.0, lambda: os.kill(pid, signal.SIGCONT))
    resumed.start()
    resumed.join()
    _check_end(world, run, "succeeded")


def test_a_service_answers_all_the_time_while_its_server_is_dead(world: World) -> None:
    with users(world) as failures, httpx.Client(base_url=world.url(), timeout=5) as client:
        world.kill("server")
        for _ in range(50):
            assert client.get("/").is_success
        world.start()
    assert failures == []


def test_after_down_no_process_is_left(world: World) -> None:
    done = world.down()
    assert done.returncode == 0, done.stderr
    assert [process.cmdline() for process in world.processes()] == []
