"""A crash, of the agent or of the server, is only a delay: no step is lost, none runs twice, no line is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.agent.world import World, until
from tests.processes import is_running

from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, StepHandle, StepOutcome
from tidegate.runners.process import ProcessRunner

STEP = StepRunId("STEP1")


def slow_step(world: World) -> Lease:
    """A step that says when it begins, goes on when `go` is there, and counts how often it ran."""
    gates = world.data / "gates"
    gates.mkdir(mode=0o777)
    gates.chmod(0o777)
    script = f"echo ran >> {gates}/count; echo $$; until [ -e {gates}/go ]; do sleep 0.02; done; echo done; exit 3"
    lease = world.lease(script)
    world.server.offer(lease)
    world.server.until(lambda server: server.lines(STEP))
    return lease


def go(world: World) -> None:
    (world.data / "gates" / "go").touch()


def count(world: World) -> int:
    return len((world.data / "gates" / "count").read_text().splitlines())


def pid_of(world: World) -> int:
    return int(world.server.lines(STEP)[0])


def handle_of(world: World) -> StepHandle:
    handle = ProcessRunner().find(str(world.data / "agent" / "attempts" / "STEP1.1.1"))
    assert handle is not None
    return handle


def test_a_step_goes_on_while_its_agent_is_killed_and_started_again(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    assert is_running(pid_of(running))
    running.start_agent()
    go(running)
    report = running.server.result(STEP)
    assert (report.outcome, report.exit_code) == (StepOutcome.FAILED, 3)
    assert running.server.lines(STEP)[1:] == ["done"]
    assert count(running) == 1
    assert len(running.server.results[STEP]) == 1


def test_a_step_that_ended_while_no_agent_was_there_is_reported_with_its_own_time(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    handle = handle_of(running)
    go(running)
    ended = ProcessRunner(running.run_as).wait(handle, 10)
    running.start_agent()
    report = running.server.result(STEP)
    assert (report.outcome, report.exit_code) == (StepOutcome.FAILED, 3)
    assert report.ended_at == ended.ended_at
    assert count(running) == 1


def test_a_step_whose_processes_died_with_the_agent_is_lost_with_the_reason(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    os.killpg(handle_of(running).pid, signal.SIGKILL)
    running.start_agent()
    report = running.server.result(STEP)
    assert report.outcome is StepOutcome.LOST
    assert "left no exit status" in report.detail


def test_a_step_from_before_the_machine_was_started_again_is_lost(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    running.end_steps()
    file = running.data / "agent" / "attempts" / "STEP1.1.1" / "lease.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "boot": "an earlier one"}))
    running.start_agent()
    report = running.server.result(STEP)
    assert report.outcome is StepOutcome.LOST
    assert "started again" in report.detail
    assert count(running) == 1


@pytest.mark.parametrize("moment", range(12))
def test_killed_between_any_two_of_its_writes_an_agent_runs_each_command_once(world: World, moment: int) -> None:
    gates = world.data / "gates"
    gates.mkdir(mode=0o777)
    gates.chmod(0o777)
    lease = world.lease(
        f"echo step >> {gates}/count; echo 1; echo 2; cat made; echo x > out",
        setup=f"echo setup >> {gates}/count; echo made > made",
        makes={"shop": "out"},
    )
    agent = world.start_agent(crash_at=moment)
    world.server.offer(lease)
    assert agent.wait(20) == -signal.SIGKILL
    world.start_agent()
    report = world.server.result(STEP)
    assert report.outcome is StepOutcome.SUCCEEDED, report.detail
    assert (gates / "count").read_text().splitlines() == ["setup", "step"]
    assert world.server.lines(STEP) == ["── setup ──", "── step1 ──", "1", "2", "made"]
    assert len(report.artifacts) == 1


def test_while_the_server_is_away_a_step_goes_on_and_nothing_of_it_is_lost(running: World) -> None:
    slow_step(running)
    running.server.down()
    go(running)
    report = running.data / "agent" / "attempts" / "STEP1.1.1" / "report.json"
    until(report.exists)
    running.server.up()
    assert running.server.result(STEP).exit_code == 3
    assert running.server.lines(STEP)[1:] == ["done"]
    assert "the server does not answer" in running.said()
    running.perform("true", "STEP2")
    assert "the server answers again" in running.said()


def test_a_result_outlives_both_the_server_and_the_agent(running: World) -> None:
    slow_step(running)
    running.server.down()
    go(running)
    until((running.data / "agent" / "attempts" / "STEP1.1.1" / "report.json").exists)
    running.kill_agent()
    running.start_agent()
    running.server.up()
    assert running.server.result(STEP).exit_code == 3
    assert running.server.lines(STEP)[1:] == ["done"]


def test_an_agent_that_was_stopped_for_a_while_ends_what_is_not_its_own_any_more(running: World) -> None:
    slow_step(running)
    agent = running.agents[0]
    agent.send_signal(signal.SIGSTOP)
    running.server.fences[STEP] = 2
    agent.send_signal(signal.SIGCONT)
    pid = pid_of(running)
    until(lambda: not is_running(pid))
    until(lambda: not list((running.data / "agent" / "attempts").iterdir()))
    assert running.server.results[STEP] == []


def test_an_agent_that_was_stopped_for_a_while_goes_on_with_what_is_its_own(running: World) -> None:
    slow_step(running)
    agent = running.agents[0]
    agent.send_signal(signal.SIGSTOP)
    go(running)
    ProcessRunner(running.run_as).wait(handle_of(running), 10)
    agent.send_signal(signal.SIGCONT)
    assert running.server.result(STEP).exit_code == 3
    assert count(running) == 1


def test_a_late_result_under_an_old_fence_is_dropped_and_the_new_lease_is_performed(running: World) -> None:
    lease = slow_step(running)
    old = pid_of(running)
    running.server.logs[STEP].clear()
    running.server.offer(replace(lease, attempt=2, fence=2))
    until(lambda: not is_running(old))
    running.server.until(lambda server: server.lines(STEP))
    go(running)
    assert running.server.result(STEP).exit_code == 3
    assert len(running.server.results[STEP]) == 1


def test_the_same_lease_twice_runs_its_step_once(running: World) -> None:
    lease = slow_step(running)
    running.server.offer(lease)
    until(lambda: not running.server.ready)
    go(running)
    running.server.result(STEP)
    assert count(running) == 1


def test_a_gently_stopped_agent_leaves_at_once_and_its_steps_alone(running: World) -> None:
    slow_step(running)
    running.agents[0].terminate()
    assert running.agents[0].wait(10) == 0
    assert is_running(pid_of(running))
    running.start_agent()
    go(running)
    assert running.server.result(STEP).exit_code == 3
    assert count(running) == 1


def test_a_cancel_that_an_agent_had_begun_is_brought_to_its_end_by_the_next(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    attempt = running.data / "agent" / "attempts" / "STEP1.1.1"
    (attempt / "ending.json").write_text(json.dumps({"outcome": "cancelled", "detail": "it was cancelled"}))
    running.start_agent()
    assert running.server.result(STEP).outcome is StepOutcome.CANCELLED
    assert not is_running(pid_of(running))


def test_a_second_agent_on_the_same_folder_says_so_and_leaves(running: World) -> None:
    running.perform("true")
    second = running.start_agent()
    assert second.wait(20) != 0
    assert f"an agent (process {running.agents[0].pid}) runs in" in running.said()


def test_an_agent_waits_for_the_right_token(world: World) -> None:
    (world.data / "agent-token").write_text("an old one")
    world.start_agent()
    world.server.offer(world.lease("true"))
    world.server.until(lambda server: server.refused_tokens >= 2)
    assert "the server turns this agent away" in world.said()
    assert "does not answer" not in world.said()
    (world.data / "agent-token").write_text(world.server.token)
    assert world.server.result(STEP).outcome is StepOutcome.SUCCEEDED


def test_a_lease_that_cannot_be_read_is_forgotten_aloud(running: World) -> None:
    slow_step(running)
    running.kill_agent()
    running.end_steps()
    (running.data / "agent" / "attempts" / "STEP1.1.1" / "lease.json").write_bytes(b"")
    running.start_agent()
    running.perform("true", "STEP2")
    assert "attempt STEP1.1.1 cannot be taken over" in running.said()


def test_a_checkout_that_a_killed_agent_had_not_begun_to_use_is_removed(world: World) -> None:
    world.start_agent(crash_at=2)
    world.server.offer(world.lease("true"))
    world.agents[0].wait(20)
    world.start_agent()
    world.server.result(STEP)
    assert len(list((world.data / "agent" / "checkouts").iterdir())) == 1


def test_the_agent_imports_without_a_server(tmp_path: Path) -> None:
    """Remote agents need no database driver, no web framework."""
    script = "import sys, tidegate.agent.agent; print(sorted({'sqlalchemy', 'fastapi', 'numpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
