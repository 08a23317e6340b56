"""What an agent begins by itself after a step that succeeded: at once, each once, and only where it is wanted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.model.ids import StepRunId
from tidegate.model.lease import StepOutcome

from .world import World, until

LAST = StepRunId("STEP2")
SECOND = StepRunId("STEP1")


class Chain:
    """Three steps that note that they ran: the third is promised with the second, which comes with the first's
    result."""

    def __init__(self, world: World, second: str = "true", last: str = "true") -> None:
        self.world = world
        world.slots = 1
        self.notes = world.data / "notes"
        self.notes.mkdir()
        self.notes.chmod(0o777)
        scripts = {"STEP0": "true", "STEP1": second, "STEP2": last}
        first, middle, end = (
            world.lease(f"echo {name} >> {self.notes}/ran; {script}", name) for name, script in scripts.items()
        )
        world.server.promised = {middle.step_run: end}
        world.server.offer(first, middle)

    def ran(self) -> list[str]:
        """The steps that ran, in order."""
        file = self.notes / "ran"
        return file.read_text().split() if file.exists() else []

    def until_third_runs(self) -> None:
        until(lambda: "STEP2" in self.ran())

    def with_second(self, act: Callable[[], object]) -> None:
        """Do that when the result of the second step is there, before it is answered; once."""
        acts = [act]

        def answer(step: StepRunId) -> None:
            if step == SECOND and acts:
                acts.pop()()

        self.world.server.before_answer = answer

    def ends(self) -> None:
        """All three went well, each once."""
        for name in ("STEP0", "STEP1", "STEP2"):
            assert self.world.server.result(name).outcome is StepOutcome.SUCCEEDED
        assert self.ran() == ["STEP0", "STEP1", "STEP2"]


def attempts(world: World) -> list[Path]:
    return list((world.data / "agent" / "attempts").iterdir())


def test_it_begins_before_the_server_has_answered(world: World) -> None:
    chain = Chain(world)
    chain.with_second(chain.until_third_runs)
    world.start_agent()
    chain.ends()
    until(lambda: not attempts(world))


def test_its_log_and_result_come_after_the_answer(world: World) -> None:
    chain = Chain(world, last="echo here")
    chain.with_second(chain.until_third_runs)
    world.start_agent()
    chain.ends()
    assert world.server.lines(LAST) == ["here"]
    assert len(world.server.results[LAST]) == 1


def test_a_server_that_gives_it_like_any_other_step_is_understood(world: World) -> None:
    world.server.names_began = False
    chain = Chain(world)
    chain.with_second(chain.until_third_runs)
    world.start_agent()
    chain.ends()


def test_what_is_not_wanted_is_ended_and_nothing_is_said_of_it(world: World) -> None:
    world.server.wants_promised = False
    chain = Chain(world, last="sleep 600")
    chain.with_second(chain.until_third_runs)
    world.start_agent()
    world.server.result("STEP1")
    until(lambda: not attempts(world))
    assert "is not this agent's any more and is dropped" in world.said()
    assert (world.server.results[LAST], world.server.logs[LAST]) == ([], [])
    assert world.perform("true", "STEP3").outcome is StepOutcome.SUCCEEDED


def test_a_result_that_is_refused_ends_what_followed_it(world: World) -> None:
    chain = Chain(world, last="sleep 600")

    def refuse() -> None:
        chain.until_third_runs()
        world.server.fences[SECOND] = 2

    chain.with_second(refuse)
    world.start_agent()
    until(lambda: "is not this agent's any more" in world.said() and not attempts(world))
    assert world.server.results[SECOND] == world.server.results[LAST] == []


def test_after_a_failure_nothing_begins_by_itself(world: World) -> None:
    chain = Chain(world, second="exit 3")
    world.start_agent()
    assert world.server.result("STEP1").outcome is StepOutcome.FAILED
    until(lambda: not attempts(world))
    assert chain.ran() == ["STEP0", "STEP1"]


def test_while_the_server_is_away_it_goes_on_and_waits_with_its_result(world: World) -> None:
    chain = Chain(world)
    chain.with_second(chain.until_third_runs)
    gone = world.data / "gone"

    def go_away() -> None:
        chain.until_third_runs()
        gone.touch()
        raise ConnectionError

    chain.with_second(go_away)
    world.start_agent()
    until(gone.exists)
    world.server.down()
    until((world.data / "agent" / "attempts" / "STEP2.1.1" / "report.json").exists)
    world.server.up()
    chain.ends()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_agent_that_ends_meanwhile_leaves_it_to_the_next(world: World, how: signal.Signals) -> None:
    go = world.data / "go"
    chain = Chain(world, last=f"until [ -e {go} ]; do sleep 0.01; done")

    def end() -> None:
        chain.until_third_runs()
        world.agents[0].send_signal(how)
        world.agents[0].wait(20)

    chain.with_second(end)
    world.start_agent()
    until(lambda: world.agents[0].poll() is not None)
    world.start_agent()
    go.touch()
    chain.ends()


@pytest.mark.parametrize("moment", range(8, 24, 3))
def test_killed_between_any_two_of_its_writes_an_agent_runs_each_command_once(world: World, moment: int) -> None:
    chain = Chain(world)
    agent = world.start_agent(crash_at=moment)
    assert agent.wait(20) == -signal.SIGKILL
    world.start_agent()
    chain.ends()
    until(lambda: not attempts(world))
