"""How an instance is, from what was seen of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.installation import InstanceState
from tidegate.supervision.program import ABSENT, ProgramPhase, ProgramState
from tidegate.targets.health import Answer
from tidegate.targets.listeners import Holder
from tidegate.targets.observation import Sight, judge

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WITHIN = timedelta(seconds=10)
PORT = 20003
GOOD = Answer(True, "GET / answered 200")
SICK = Answer(False, "GET / answered 503")


def program(started_seconds_ago: float = 1, phase: ProgramPhase = ProgramPhase.RUNNING) -> ProgramState:
    start = NOON - timedelta(seconds=started_seconds_ago)
    return ProgramState(phase, pid=7, first_started_at=start, started_at=(start,), description=str(phase))


def crashing(*seconds_ago: float) -> ProgramState:
    starts = tuple(NOON - timedelta(seconds=ago) for ago in seconds_ago)
    return ProgramState(
        ProgramPhase.RUNNING,
        pid=7,
        exit_code=3,
        restarts=len(starts) - 1,
        first_started_at=starts[0],
        started_at=starts,
        description="ended with exit status 3",
    )


def test_good_answers_on_its_own_port_make_an_instance_healthy() -> None:
    instance = judge(0, PORT, Sight(program(), frozenset({PORT}), GOOD), NOON, WITHIN, None)
    assert (instance.state, instance.detail) == (InstanceState.HEALTHY, "")


@pytest.mark.parametrize(
    ("sight", "detail"),
    [
        (Sight(ABSENT), "it is not started yet"),
        (
            Sight(program(phase=ProgramPhase.STOPPING), frozenset({PORT}), GOOD),
            "it is ending, and starts again after that",
        ),
        (Sight(program()), "nothing listens on $PORT 20003 yet"),
        (Sight(program(), frozenset({20999})), "the instance listens on 20999, not on $PORT 20003"),
        (Sight(program(), holder=Holder(123, "nginx")), "port 20003 is taken by pid 123 (nginx)"),
        (Sight(program(), frozenset({20999}), holder=Holder(9, "x")), "port 20003 is taken by pid 9 (x)"),
        (Sight(program(), frozenset({PORT}), SICK), "GET / answered 503"),
    ],
)
def test_what_is_wrong_is_said(sight: Sight, detail: str) -> None:
    instance = judge(0, PORT, sight, NOON, WITHIN, NOON)
    assert instance.state is InstanceState.STARTING
    assert instance.detail == detail


def test_an_old_instance_without_a_good_answer_is_unhealthy_not_starting() -> None:
    sight = Sight(program(started_seconds_ago=3600), frozenset({PORT}), SICK)
    assert judge(0, PORT, sight, NOON, WITHIN, NOON).state is InstanceState.UNHEALTHY


@pytest.mark.parametrize(("started", "unhealthy"), [(10.1, 30), (30, 10.1)])
def test_it_has_failed_once_it_was_too_long_without_a_good_answer(started: float, unhealthy: float) -> None:
    sight = Sight(program(started), frozenset({PORT}), SICK)
    instance = judge(0, PORT, sight, NOON, WITHIN, NOON - timedelta(seconds=unhealthy))
    assert instance.state is InstanceState.FAILED
    assert instance.detail == "not healthy within 10 s: GET / answered 503"
    earlier = judge(0, PORT, sight, NOON - timedelta(seconds=0.2), WITHIN, NOON - timedelta(seconds=unhealthy))
    assert earlier.state is not InstanceState.FAILED


def test_a_program_that_cannot_be_started_has_failed_at_once() -> None:
    state = ProgramState(ProgramPhase.FATAL, description="the command 'x' of y does not exist")
    instance = judge(0, PORT, Sight(state), NOON, WITHIN, None)
    assert (instance.state, instance.detail) == (InstanceState.FAILED, "the command 'x' of y does not exist")


def test_three_restarts_in_five_minutes_are_a_crash_loop_though_it_answers_in_between() -> None:
    sight = Sight(crashing(250, 200, 100, 2), frozenset({PORT}), GOOD)
    instance = judge(0, PORT, sight, NOON, WITHIN, None)
    assert instance.state is InstanceState.FAILED
    assert "3 times within 5 minutes; the last time it ended with exit status 3" in instance.detail


def test_restarts_of_long_ago_are_forgiven() -> None:
    sight = Sight(crashing(4000, 3000, 2000, 1000, 2), frozenset({PORT}), GOOD)
    instance = judge(0, PORT, sight, NOON, WITHIN, None)
    assert (instance.state, instance.restarts) == (InstanceState.HEALTHY, 4)
