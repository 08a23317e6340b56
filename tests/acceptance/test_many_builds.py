"""Many builds at once on three agents: all end, none runs twice, the order is fair, memory is bounded, and nothing is
lost where an agent is killed or stopped in the middle."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .fleet import Memory, RemoteAgent, all_events, all_runs, ended_afterwards, repository, until_agents
from .harness import World, a_world, wait_for

SLOTS = 2
NAMES = ("one", "two", "three")
AT_ONCE = SLOTS * len(NAMES)
SERVER_GROWS_MIB = 64.0
AGENT_MIB = 96.0


@dataclass(frozen=True)
class Size:
    """How many builds of each service, how long an agent is stopped, and how long all of it may take, in seconds."""

    many: int
    some: int
    few: int
    stopped: float
    limit: float

    @property
    def total(self) -> int:
        """With the one of `lone`."""
        return self.many + self.some + self.few + 1


@pytest.fixture
def world() -> Iterator[World]:
    """A server whose own agent takes nothing: what is built is built elsewhere."""
    with a_world() as started:
        (local,) = wait_for(lambda: started.json("agents", "list") or None, "the local agent")
        assert started.run("agents", "drain", local["name"]).returncode == 0
        yield started


@pytest.mark.parametrize(
    "size",
    [
        Size(many=45, some=10, few=4, stopped=5.0, limit=120.0),
        pytest.param(Size(many=430, some=59, few=10, stopped=65.0, limit=900.0), marks=pytest.mark.slow),
    ],
    ids=lambda size: f"{size.total} builds",
)
@pytest.mark.timeout(1200)
def test_many_builds_at_once(world: World, size: Size) -> None:
    ran = _file_for_steps(world)
    command = json.dumps(f'echo "$TIDEGATE_RUN" >> {ran}; sleep 0.2')
    for service, count in (("many", size.many), ("some", size.some), ("few", size.few)):
        repository(world.folder / service, service, command, 1)
        _add(world, service)
        repository(world.folder / service, service, command, count - 1)
    wait_for(lambda: world.api("GET", "/api/v1/queue")["total"] == size.total - 1, "all in the queue", size.limit)
    assert ran.read_text() == ""

    agents = [RemoteAgent(world, name, SLOTS) for name in NAMES]
    with ended_afterwards(agents), Memory() as memory:
        memory.watch("server", world.pid("server"))
        for agent in agents:
            memory.watch(agent.name, agent.start())
        wait_for(lambda: _ended(world) > size.total // 10, "the first builds", size.limit)
        repository(world.folder / "lone", "lone", command, 1)
        _add(world, "lone")
        _trouble(agents, memory, size.stopped)
        wait_for(lambda: _ended(world) == size.total, f"the end of {size.total} builds", size.limit)

    _check_once(world, size, ran)
    _check_order(world, size)
    assert memory.most["server"] - memory.first["server"] < SERVER_GROWS_MIB, memory.most
    assert max(memory.most[name] for name in NAMES) < AGENT_MIB, memory.most
    assert world.json("audit", "verify")["ok"]


def test_what_an_agent_had_that_never_comes_back_is_tried_elsewhere(world: World) -> None:
    go, ran = world.folder / "go", _file_for_steps(world)
    waits = f"test $(wc -l < {ran}) -gt 1 || until test -f {go}; do sleep 0.1; done"
    command = json.dumps(f"echo begun >> {ran}; {waits}")
    repository(world.folder / "shop", "shop", command + ", retry: {attempts: 2, causes: [lost]}", 1)
    gone, other = RemoteAgent(world, "gone", 1), RemoteAgent(world, "other", 1)
    with ended_afterwards([gone, other]):
        gone.start()
        _add(world, "shop")
        wait_for(lambda: ran.read_text() or None, "the first attempt")
        until_agents(world, gone="busy")
        gone.kill()
        other.start()
        done = world.run("agents", "remove", "gone")
        assert "1 step lost" in done.stdout, done.stderr
        wait_for(lambda: _ended(world) == 1, "the build on the other agent")
        # it comes back after all, with a result that nobody wants any more
        go.touch()
        gone.start()
        wait_for(lambda: "401" in gone.log(), "the refusal")
        assert [agent["name"] for agent in world.api("GET", "/api/v1/agents")].count("gone") == 0
    ended = [event for event in all_events(world) if event["kind"] == "step.ended"]
    assert [(event["data"]["attempt"], event["text"].split(": ")[1]) for event in ended] == [
        (1, "test lost"),
        (2, "test succeeded"),
    ]


def _trouble(agents: list[RemoteAgent], memory: Memory, seconds: float) -> None:
    """One agent is killed and comes back, another is stopped for so long and goes on."""
    killed, stopped, _ = agents
    stopped.send(signal.SIGSTOP)
    resumed = threading.Timer(seconds, stopped.send, [signal.SIGCONT])
    resumed.start()
    killed.kill()
    memory.watch(killed.name, killed.start())
    resumed.join()


def _file_for_steps(world: World) -> Path:
    """An empty file that steps may write to, whoever they run as."""
    file = world.folder / "ran"
    file.touch()
    file.chmod(0o666)
    return file


def _add(world: World, service: str) -> None:
    done = world.run("service", "add", str(world.folder / service))
    assert done.returncode == 0, done.stderr


def _ended(world: World) -> int:
    """How many runs succeeded."""
    return sum(run["status"] == "succeeded" for run in all_runs(world))


def _check_once(world: World, size: Size, ran: Path) -> None:
    """Every build succeeded, its command ran once, and its result was taken once."""
    runs = all_runs(world)
    assert len(runs) == size.total
    assert Counter(ran.read_text().split()) == Counter(run["id"] for run in runs)
    events = Counter((event["kind"], event["about"].get("run")) for event in all_events(world))
    for run in runs:
        for kind in ("run.created", "step.began", "step.ended", "release.created", "run.ended"):
            assert events[kind, run["id"]] == 1, (kind, run["id"])


def _check_order(world: World, size: Size) -> None:
    """Services take turns, a service that comes late waits for no queue, and of one the older change is first."""
    events = all_events(world)
    began = _about("step.began", events)
    services = [about["service"] for about in began]
    last_of_few = len(services) - services[::-1].index("few")
    assert last_of_few <= 3 * size.few + AT_ONCE
    last_of_some = len(services) - services[::-1].index("some")
    assert last_of_some <= len(services) // 2
    (created,) = [about["at"] for about in _about("run.created", events) if about["service"] == "lone"]
    (first,) = [about["at"] for about in began if about["service"] == "lone"]
    assert sum(created < about["at"] < first for about in began) <= AT_ONCE
    for service in ("many", "some", "few"):
        order = [about["run"] for about in began if about["service"] == service]
        assert order == [about["run"] for about in _about("run.created", events) if about["service"] == service]


def _about(kind: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the events of a kind are about, and their place in the record."""
    return [{**event["about"], "at": event["id"]} for event in events if event["kind"] == kind]
