"""Which step an agent gets next, and why the others wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.agent import AWAY_AFTER, Agent, Platform
from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.pipeline import Concurrency
from tidegate.model.step_queue import QueuedStep, choose, in_order, platforms_for, why_it_waits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINUX, ARM = Platform("linux", "x86-64"), Platform("linux", "arm64")


def a_step(
    name: str,
    service: str = "shop",
    *,
    since: int = 0,
    order: int = 1,
    labels: tuple[str, ...] = (),
    group: Concurrency | None = None,
    agent: str | None = None,
) -> QueuedStep:
    """A step that is ready since so many seconds after the hour."""
    return QueuedStep(
        id=StepRunId(name),
        run=RunId(f"run of {name}"),
        service=ServiceName(service),
        scope="build",
        name=StepName(name),
        ready_at=NOW + timedelta(seconds=since),
        labels=frozenset(labels),
        concurrency=group,
        agent=agent,
        order=order,
    )


def an_agent(name: str = "one", *, slots: int = 1, labels: tuple[str, ...] = (), platform: Platform = LINUX) -> Agent:
    """An agent that was seen just now."""
    own = (platform.os, platform.processor)
    return Agent(name, NOW, labels=(*labels, *own), slots=slots, platform=platform, seen_at=NOW)


def names(steps: tuple[QueuedStep, ...]) -> list[str]:
    return [step.name for step in steps]


def test_the_service_with_fewest_steps_running_comes_first() -> None:
    ready = [a_step(f"big {n}", "big", since=n) for n in range(50)] + [a_step("small", "small", since=60)]
    running = [a_step("big before", "big", agent="one"), a_step("big too", "big", agent="two")]
    assert names(choose(ready, running, (), 3)) == ["small", "big 0", "big 1"]


def test_services_take_turns() -> None:
    ready = [a_step(f"{service} {n}", service, since=n) for service in ("a", "b") for n in range(3)]
    assert names(choose(ready, [], (), 4)) == ["a 0", "b 0", "a 1", "b 1"]


def test_an_older_change_is_built_to_its_end_before_a_newer_one_begins() -> None:
    ready = [a_step("first of new", order=8, since=0), a_step("last of old", order=7, since=30)]
    assert names(choose(ready, [], (), 1)) == ["last of old"]


def test_an_agent_gets_only_what_its_labels_allow() -> None:
    ready = [a_step("gpu", labels=("gpu", "linux")), a_step("any", since=5)]
    assert names(choose(ready, [], ("linux",), 2)) == ["any"]
    assert names(choose(ready, [], ("linux", "gpu", "x86-64"), 2)) == ["gpu", "any"]


def test_a_group_at_its_limit_keeps_only_its_own_steps_waiting() -> None:
    licence = Concurrency("licence", 2)
    ready = [a_step(f"with {n}", since=n, group=licence) for n in range(3)] + [a_step("without", since=9)]
    running = [a_step("before", group=licence, agent="one")]
    assert names(choose(ready, running, (), 9)) == ["with 0", "without"]
    assert names(in_order(ready, running)) == ["with 0", "without", "with 1", "with 2"]


def test_no_slot_no_step() -> None:
    assert choose([a_step("one")], [], (), 0) == ()


_STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 3), st.sampled_from([None, "x", "y"])),
    max_size=25,
)


@given(ready=_STEPS, running=_STEPS, slots=st.integers(0, 30))
def test_what_is_chosen_is_what_the_order_begins_with(
    ready: list[tuple[str, int, int, str | None]], running: list[tuple[str, int, int, str | None]], slots: int
) -> None:
    def _made(told: list[tuple[str, int, int, str | None]], prefix: str) -> list[QueuedStep]:
        return [
            a_step(f"{prefix}{n:03}", service, since=since, order=order, group=Concurrency(group, 2) if group else None)
            for n, (service, since, order, group) in enumerate(told)
        ]

    waiting, performed = _made(ready, "w"), _made(running, "r")
    order = in_order(waiting, performed)
    chosen = choose(waiting, performed, (), slots)
    assert chosen == order[: len(chosen)]
    assert sorted(names(order)) == sorted(one.name for one in waiting)
    for group in ("x", "y"):
        before = sum(one.concurrency is not None and one.concurrency.group == group for one in performed)
        taken = sum(one.concurrency is not None and one.concurrency.group == group for one in chosen)
        assert taken <= max(0, 2 - before)


@pytest.mark.parametrize(
    ("step", "agents", "why"),
    [
        (a_step("s"), [], "no agent asks for work"),
        (a_step("s", labels=("gpu",)), [an_agent()], "no agent with gpu asks for work"),
        (a_step("s"), [an_agent()], "the only slot is taken, of one"),
        (a_step("s"), [an_agent(slots=2)], "it is given to the next agent that asks"),
        (
            a_step("s", group=Concurrency("licence")),
            [an_agent(slots=9)],
            "1 step of the group licence may run at a time",
        ),
    ],
)
def test_why_a_step_waits(step: QueuedStep, agents: list[Agent], why: str) -> None:
    running = [a_step("other", agent="one", group=Concurrency("licence"))]
    assert why_it_waits(step, running, agents, NOW) == why


def test_it_waits_for_agents_that_are_away_or_drained() -> None:
    away = NOW + AWAY_AFTER
    assert why_it_waits(a_step("s"), [], [an_agent("mac")], away) == "no agent asks for work; mac is away"
    two = [an_agent("mac", labels=("x",)), an_agent("other", labels=("x",))]
    assert why_it_waits(a_step("s", labels=("x",)), [], two, away) == (
        "no agent with x asks for work; mac, other are away"
    )
    drained = [Agent("one", NOW, slots=1, seen_at=NOW, drained_by="ada")]
    assert "is being drained: one" in why_it_waits(a_step("s"), [], drained, NOW)
    full = [an_agent("one"), an_agent("two", slots=2)]
    running = [a_step(f"r{n}", agent=agent) for n, agent in enumerate(("one", "two", "two"))]
    assert why_it_waits(a_step("s"), running, full, NOW) == "all 3 slots are taken, of one, two"


def test_the_platforms_of_a_step_are_those_of_the_agents_that_could_run_it() -> None:
    agents = [an_agent("a", labels=("gpu",)), an_agent("b", platform=ARM), Agent("new", NOW)]
    assert platforms_for((), agents) == {"linux/x86-64", "linux/arm64"}
    assert platforms_for(("gpu",), agents) == {"linux/x86-64"}
    assert platforms_for(("linux", "arm64"), agents) == {"linux/arm64"}
    assert platforms_for(("windows",), agents) == set()


def test_an_agent_that_does_not_say_what_it_is_is_a_platform_of_its_own() -> None:
    old = Agent("old", NOW, slots=1, seen_at=NOW)
    assert platforms_for((), [old]) == {"unknown"}
    assert platforms_for((), [old, an_agent()]) == {"unknown", "linux/x86-64"}
