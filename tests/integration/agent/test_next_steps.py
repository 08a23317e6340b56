"""Steps that come with the answer to a result: in the slot of the one that has ended, never in more than there are."""

from __future__ import annotations

import signal

import pytest

from tidegate.agent.wire import Held
from tidegate.model.lease import StepOutcome

from .world import World, until


@pytest.fixture
def one_slot(world: World) -> World:
    """Chains of steps: each becomes ready while the one before it runs."""
    world.slots = 1
    return world


def offer(world: World, count: int) -> None:
    world.server.offer(*(world.lease(f"echo {number}", f"STEP{number}") for number in range(count)))


def test_a_chain_of_steps_asks_for_work_once(one_slot: World) -> None:
    offer(one_slot, 6)
    one_slot.start_agent()
    for number in range(6):
        assert one_slot.server.result(f"STEP{number}").outcome is StepOutcome.SUCCEEDED
        assert one_slot.server.lines(f"STEP{number}") == [str(number)]
    assert len(one_slot.server.asked_next) == 6
    for name, asked in one_slot.server.asked_next:
        assert (name, asked.slots_free, asked.held, asked.slots, asked.draining) == ("local", 1, (), 1, False)
    one_slot.server.until(lambda server: len(server.asked) >= 2)
    assert [(one.slots_free, one.held) for one in one_slot.server.asked[:2]] == [(1, ()), (1, ())]


def test_a_server_that_knows_nothing_of_it_is_asked_as_ever(one_slot: World) -> None:
    one_slot.server.answers_next = False
    offer(one_slot, 4)
    one_slot.start_agent()
    for number in range(4):
        assert one_slot.server.result(f"STEP{number}").outcome is StepOutcome.SUCCEEDED
    assert len(one_slot.server.asked) >= 4


def test_what_else_the_agent_has_is_named(world: World) -> None:
    world.slots = 3
    go = world.data / "go"
    world.server.offer(world.lease(f"until [ -e {go} ]; do sleep 0.01; done", "STEP0"), world.lease("echo 1", "STEP1"))
    world.start_agent()
    world.server.result("STEP1")
    ((_, asked),) = world.server.asked_next
    assert (asked.slots_free, asked.held) == (2, (Held(world.lease("", "STEP0").step_run, 1, 1),))
    go.touch()
    world.server.result("STEP0")


def test_more_steps_than_there_are_slots_wait_for_one_another(one_slot: World) -> None:
    one_slot.server.gives_too_many = 2
    one_slot.server.offer(one_slot.lease("echo 0", "STEP0"))
    busy = one_slot.data / "busy"
    for number in range(1, 4):
        script = f"mkdir {busy} && sleep 0.3 && rmdir {busy}"
        one_slot.server.offer(one_slot.lease(script, f"STEP{number}"))
    one_slot.data.chmod(0o777)
    one_slot.start_agent()
    for number in range(4):
        report = one_slot.server.result(f"STEP{number}")
        assert (report.outcome, one_slot.server.lines(f"STEP{number}")[1:]) == (StepOutcome.SUCCEEDED, [])


def test_an_agent_that_is_to_leave_asks_for_nothing_more(one_slot: World) -> None:
    go = one_slot.data / "go"
    one_slot.server.offer(one_slot.lease(f"echo up; until [ -e {go} ]; do sleep 0.01; done", "STEP0"))
    offer_later = one_slot.lease("echo 1", "STEP1")
    agent = one_slot.start_agent()
    one_slot.server.until(lambda server: server.lines("STEP0"))
    one_slot.server.offer(offer_later)
    agent.send_signal(signal.SIGQUIT)
    until(lambda: "takes no more steps" in one_slot.said())
    go.touch()
    one_slot.server.result("STEP0")
    assert agent.wait(30) == 0
    assert one_slot.server.asked_next == []
    assert [lease.step_run for lease in one_slot.server.ready] == ["STEP1"]


def test_an_agent_that_is_killed_with_the_answer_on_its_way_gets_the_step_again(one_slot: World) -> None:
    offer(one_slot, 2)
    one_slot.start_agent()
    one_slot.server.until(lambda server: server.asked_next)
    one_slot.kill_agent()
    one_slot.start_agent()
    assert one_slot.server.result("STEP1").outcome is StepOutcome.SUCCEEDED
