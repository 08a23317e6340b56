"""A step whose inputs did not change is taken from the cache, with all that it made; a failed one never is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.api import agents
from tidegate.artifacts.folder import FolderStore
from tidegate.engine.kept_results import KeptResults
from tidegate.engine.unused_artifacts import UnusedArtifacts
from tidegate.model.ids import Digest, RunId
from tidegate.model.run import MADE_IS_KEPT
from tidegate.model.step_inputs import InputFile, Listing
from tidegate.store import queries, rows

from .world import AGENT, World, a_world, eventually

FILE = """\
service: shop
build:
  steps:
    - name: compile
      run: make
      inputs: ["src/**"]
      outputs: [out]
    - name: unit tests
      needs: [compile]
      run: make test
      inputs: ["tests/**"]
    - name: always
      run: date
"""
IMAGE = "sha256:" + "5" * 64
SOURCE, TEST = InputFile("src/a.c", "100644", "1" * 40), InputFile("tests/a.c", "100644", "2" * 40)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 0.2)
    with a_world(tmp_path) as found:
        found.repositories.text = FILE
        found.repositories.listing = Listing.of([SOURCE, TEST])
        with found.client(AGENT) as agent:  # for which platforms something is made is known from now on
            agent.post("/api/v1/agents/one/lease", json={"slots_free": 0, "held": []}).raise_for_status()
        yield found


def perform(world: World, run: str, outputs: str = "a", outcome: str = "succeeded") -> list[str]:
    """Perform what agents are given until the run has ended; the names of the steps that really ran."""
    ran: list[str] = []
    with world.client(AGENT) as agent:
        for _ in range(100):
            if world.get(f"/runs/{run}")["ended_at"]:
                return sorted(ran)
            for lease in agent.post("/api/v1/agents/one/lease", json={"slots_free": 4, "held": []}).json():
                ran.append(lease["step"]["name"])
                _report(agent, lease, outputs, outcome)
    raise AssertionError(world.get(f"/runs/{run}"))


def _report(agent: Any, lease: dict[str, Any], outputs: str, outcome: str) -> None:
    at = "2026-11-25T12:00:00Z"
    made = {"name": "compile", "file": "outputs.tar", "digest": f"sha256:{outputs * 64}", "size": 10}
    report = {"outcome": outcome, "exit_code": 0, "detail": "", "began_at": at, "ended_at": at}
    if lease["step"]["name"] == "compile":
        report |= {"outputs": made, "image": IMAGE}
    own = {"attempt": lease["attempt"], "fence": lease["fence"]}
    path = f"/api/v1/steps/{lease['step_run']}"
    sent = [{"at": at, "text": f"made by {lease['run']}"}]
    agent.post(f"{path}/log", json={**own, "first": 0, "lines": sent})
    assert agent.post(f"{path}/result", json={**own, "report": report}).json() == {"accepted": True}


def steps_of(world: World, run: str) -> dict[str, Any]:
    return {one["name"]: one for one in world.get(f"/runs/{run}")["steps"]}


def push(world: World, *files: InputFile) -> str:
    world.repositories.listing = Listing.of(files)
    return world.push()


def test_a_second_commit_that_touches_no_input_runs_only_what_has_none(world: World) -> None:
    first = world.add_shop()
    assert perform(world, first) == ["always", "compile", "unit tests"]
    second = push(world, SOURCE, TEST, InputFile("README", "100644", "3" * 40))
    assert perform(world, second) == ["always"]
    compiled = steps_of(world, second)["compile"]
    assert (compiled["state"], compiled["cached_from"], compiled["image"]) == ("succeeded", first, IMAGE)
    assert world.get(f"/steps/{compiled['id']}/log")["lines"][0]["text"] == f"made by {first}"
    assert world.ends(second)["status"] == "succeeded"


def test_a_changed_input_runs_its_step_and_what_depends_on_what_it_makes(world: World) -> None:
    perform(world, world.add_shop())
    changed = InputFile("src/a.c", "100644", "4" * 40)
    assert perform(world, push(world, changed, TEST), outputs="b") == ["always", "compile", "unit tests"]


def test_a_step_that_made_the_same_again_does_not_run_those_after_it(world: World) -> None:
    perform(world, world.add_shop(), outputs="a")
    changed = InputFile("src/a.c", "100644", "4" * 40)
    assert perform(world, push(world, changed, TEST), outputs="a") == ["always", "compile"]


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "cancelled", "lost"])
def test_what_did_not_succeed_is_never_taken_again(world: World, outcome: str) -> None:
    perform(world, world.add_shop(), outcome=outcome)
    assert "compile" in perform(world, push(world, SOURCE, TEST))


def test_a_step_whose_inputs_match_no_file_fails_and_says_which(world: World) -> None:
    perform(world, world.add_shop())
    run = push(world, SOURCE)
    assert perform(world, run) == ["always"]
    failed = steps_of(world, run)["unit tests"]
    assert (failed["state"], world.get(f"/runs/{run}")["status"]) == ("failed", "failed")
    assert failed["detail"].startswith('the input tests/** of "unit tests" matches no file')
    told = [one["text"] for one in world.get(f"/runs/{run}/events") if one["kind"] == "step.ended"]
    assert f"build: unit tests failed: {failed['detail']}" in told
    assert perform(world, push(world, SOURCE, TEST)) == ["always"], "what was kept before is not lost by it"


def test_a_file_that_became_executable_is_another_input(world: World) -> None:
    perform(world, world.add_shop())
    changed = InputFile("tests/a.c", "100755", "2" * 40)
    assert perform(world, push(world, SOURCE, changed)) == ["always", "unit tests"]


def test_another_service_has_results_of_its_own(world: World) -> None:
    perform(world, world.add_shop())
    world.repositories.text = FILE.replace("service: shop", "service: mail")
    other = world.post("/services", {"repository": "/repositories/mail", "name": "mail"})["run"]["id"]
    assert perform(world, other) != ["always"]


def test_a_cached_step_that_is_needed_hands_over_what_it_made_then(world: World) -> None:
    perform(world, world.add_shop())
    run = push(world, SOURCE, InputFile("tests/a.c", "100644", "5" * 40))
    with world.client(AGENT) as agent:

        def tests() -> dict[str, Any] | None:
            leases = agent.post("/api/v1/agents/one/lease", json={"slots_free": 4, "held": []}).json()
            return next((one for one in leases if one["step"]["name"] == "unit tests"), None)

        lease = eventually(tests, "the lease of the tests")
    assert [one["digest"] for one in lease["outputs"]] == [f"sha256:{'a' * 64}"]
    assert lease["run"] == run
    assert "TIDEGATE_COMMIT" not in lease["env"]
    assert lease["env"]["SOURCE_DATE_EPOCH"] == "315532800"


def test_what_agents_of_another_platform_may_run_is_made_anew(world: World) -> None:
    perform(world, world.add_shop())
    assert "compile" not in perform(world, push(world, SOURCE, TEST))
    arm = {"slots_free": 0, "held": [], "platform": {"os": "linux", "processor": "arm64"}}
    with world.client(AGENT) as agent:
        agent.post("/api/v1/agents/two/lease", json=arm).raise_for_status()
    assert "compile" in perform(world, push(world, SOURCE, TEST))


def test_results_that_were_not_used_for_longest_are_given_up_when_there_are_too_many(world: World) -> None:
    perform(world, world.add_shop(), outputs="a")
    perform(world, push(world, InputFile("src/a.c", "100644", "4" * 40), TEST), outputs="b")
    perform(world, push(world, SOURCE, TEST))  # the first result is used again, and is now the newer one
    assert KeptResults(world.engine.parts, 15).shrink() > 0
    assert "compile" not in perform(world, push(world, SOURCE, TEST))
    assert "compile" in perform(world, push(world, InputFile("src/a.c", "100644", "4" * 40), TEST))


def test_bytes_are_removed_when_no_result_release_or_run_needs_them_any_more(world: World, tmp_path: Path) -> None:
    later = replace(world.engine.parts, clock=_Later(MADE_IS_KEPT + timedelta(hours=1)))
    store = FolderStore(tmp_path / "artifacts")
    perform(world, world.add_shop(), outputs="a")
    perform(world, push(world, InputFile("src/a.c", "100644", "4" * 40), TEST), outputs="b", outcome="failed")
    old = world.clock.now() - timedelta(hours=7)
    a, b, _ = (_keep(store, letter, old) for letter in "abc")
    fresh = _keep(store, "d", world.clock.now())

    assert UnusedArtifacts(world.engine.parts, store).remove() == 1
    assert _kept(store) == {a, b, fresh}, "what failed lately may be tried again; nobody refers to c"
    UnusedArtifacts(later, store).remove()
    assert a in _kept(store), "the cache keeps it"
    KeptResults(later, 0).shrink()
    UnusedArtifacts(later, store).remove()
    assert _kept(store) == set()


def test_bytes_that_were_put_again_meanwhile_stay(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "artifacts")
    digest = store.put([b"wheel"])
    assert store.forget(digest, older_than=datetime.now(UTC) - timedelta(hours=6)) == 0
    with store.open(digest) as file:
        assert file.read() == b"wheel"


def test_a_build_that_is_tried_again_when_what_it_made_is_gone_begins_anew(world: World) -> None:
    run = world.add_shop()
    assert "unit tests" not in perform(world, run, outcome="failed")
    with world.database.writing() as connection:
        known = queries.run(connection, RunId(run))
        assert known is not None and known.ended_at is not None
        rows.put(connection, replace(known, ended_at=known.ended_at - MADE_IS_KEPT - timedelta(hours=1)))
    succeeded = {one["name"] for one in world.get(f"/runs/{run}")["steps"] if one["state"] == "succeeded"}
    world.post(f"/runs/{run}/retry")
    assert succeeded <= set(perform(world, run))


class _Later:
    """A clock that is ahead."""

    def __init__(self, by: timedelta) -> None:
        self.by = by

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def _keep(store: FolderStore, letter: str, at: datetime) -> Digest:
    digest = Digest(f"sha256:{letter * 64}")
    path = store.root / "sha256" / (letter * 2) / (letter * 62)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return digest


def _kept(store: FolderStore) -> set[Digest]:
    return set(store.older_than(datetime.now(UTC) + timedelta(hours=1)))


def test_an_older_build_is_cancelled_by_a_newer_commit_where_the_file_says_so(world: World) -> None:
    world.repositories.text = FILE.replace("build:\n", "build:\n  outdated: cancel\n")
    first = world.add_shop()
    second = world.push()
    perform(world, second)
    ended = world.ends(first)
    assert ended["status"] == "cancelled"
    assert "the newer commit" in ended["because"][0]["text"]
    assert world.ends(second)["status"] == "succeeded"
