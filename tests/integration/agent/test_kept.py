"""What is kept from one run's checkout to the next: what setup made, and the folders of package managers."""

from __future__ import annotations

from dataclasses import replace

from tidegate.model.ids import RunId, StepName
from tidegate.model.lease import Lease, StepOutcome
from tidegate.model.pipeline import FolderCache, Setup

from .world import World

SETUP = Setup("echo setting up; mkdir -p deps; cat hello.txt > deps/made", ("hello.txt",), ("deps",))


def perform(world: World, lease: Lease) -> list[str]:
    """The log of a step of a run of its own, which ends well."""
    lease = replace(lease, run=RunId(f"RUN-{lease.step_run}"), commit=world.commit)
    world.server.offer(lease)
    report = world.server.result(lease.step_run)
    assert report.outcome is StepOutcome.SUCCEEDED, (report.detail, world.server.lines(lease.step_run))
    return world.server.lines(lease.step_run)


def test_what_setup_made_is_used_again_by_later_runs_until_its_inputs_change(running: World) -> None:
    def run(step: str) -> list[str]:
        return perform(running, replace(running.lease("cat deps/made", step), setup=SETUP))

    assert "setting up" in run("STEP1")
    again = run("STEP2")
    assert "setting up" not in again
    assert again[-1] == "hello"
    running.commit = running.change({"hello.txt": "newer\n"})
    changed = run("STEP3")
    assert "setting up" in changed
    assert changed[-1] == "newer"


def test_a_setup_that_does_not_say_what_it_is_made_from_runs_every_time(running: World) -> None:
    setup = replace(SETUP, inputs=(), outputs=())
    for step in ("STEP1", "STEP2"):
        assert "setting up" in perform(running, replace(running.lease("true", step), setup=setup))


def test_a_setup_that_failed_is_not_kept(running: World) -> None:
    failing = replace(SETUP, run="mkdir deps; touch deps/half; exit 1")
    running.server.offer(replace(running.lease("true", "STEP1"), setup=failing, run=RunId("RUN-A")))
    assert running.server.result("STEP1").outcome is StepOutcome.FAILED
    running.server.offer(replace(running.lease("true", "STEP2"), setup=failing, run=RunId("RUN-B")))
    assert running.server.result("STEP2").outcome is StepOutcome.FAILED


def test_folders_of_a_package_manager_come_back_and_those_of_another_key_are_a_beginning(running: World) -> None:
    def run(step: str) -> list[str]:
        lease = running.lease("cat cache/* 2>/dev/null || true; mkdir -p cache; cp hello.txt cache/", step)
        cached = replace(lease.step, name=StepName("unit tests"), cache=FolderCache(("cache",), ("hello.txt",)))
        return perform(running, replace(lease, step=cached))

    assert run("STEP1") == []
    assert run("STEP2") == ["hello"]
    running.commit = running.change({"hello.txt": "newer\n"})
    assert run("STEP3") == ["hello"]
    assert run("STEP4") == ["newer"]


def test_a_damaged_archive_is_as_if_there_were_none(running: World) -> None:
    lease = running.lease("cat deps/made", "STEP1")
    perform(running, replace(lease, setup=SETUP))
    (archive,) = (running.data / "agent" / "kept").glob("*.tar")
    archive.write_bytes(b"damaged")
    assert "setting up" in perform(running, replace(running.lease("cat deps/made", "STEP2"), setup=SETUP))
