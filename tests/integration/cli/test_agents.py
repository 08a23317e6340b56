"""What a user relies on in commands about agents and the queue, and in starting an agent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import COMMIT, RUN, TOKEN, ContractServer

SERVER = "http://127.0.0.1:9"
MADE = "Dq3XnR5sYb1cJvZk0tLwPf7uHgE2mAiO9xCdVlBeSrM"


def agent_document(**more: Any) -> dict[str, Any]:
    return {
        "name": "mac-1",
        "state": "busy",
        "labels": ["arm64", "darwin"],
        "slots": 2,
        "version": "0.1.0",
        "platform": "darwin/arm64",
        "seen_at": "2026-03-01T12:00:00+00:00",
        "drained_by": None,
        "own_token": True,
        "performs": [{**step_document("app"), "began_at": "2026-03-01T12:00:00+00:00"}],
        **more,
    }


def step_document(name: str) -> dict[str, Any]:
    of = {"run": RUN, "service": "shop", "commit": COMMIT}
    return {"id": "01jd0000000000000000000stp", **of, "scope": "build", "name": name}


def queue_document(*waiting: str, total: int | None = None) -> dict[str, Any]:
    steps = [
        {**step_document(why), "ready_at": "2026-03-01T12:00:00+00:00", "labels": [], "why": why} for why in waiting
    ]
    return {"agents": [agent_document()], "waiting": steps, "total": len(steps) if total is None else total}


def test_the_queue_shows_agents_what_runs_and_what_waits_for_what(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/queue", queue_document("the only slot is taken, of mac-1", total=3))
    ended = tidegate("queue")
    assert ended.code == 0, ended.err
    assert "mac-1  busy   1 of 2  arm64, darwin  0.1.0" in ended.out
    assert "shop 1a2b3c4d build: app" in ended.out
    assert "the only slot is taken, of mac-1" in ended.out
    assert "and 2 more" in ended.out
    assert RUN in ended.out


def test_the_queue_as_json_is_what_the_server_says(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/queue", queue_document("no agent asks for work"))
    assert tidegate("queue", "--json").document == queue_document("no agent asks for work")


def test_an_empty_queue_is_said(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/queue", {"agents": [], "waiting": [], "total": 0})
    ended = tidegate("queue")
    assert (ended.code, "nothing waits" in ended.err) == (0, True)


def test_agents_are_listed(tidegate: Command, contract: ContractServer) -> None:
    new = agent_document(name="new", state="never_seen", version=None, seen_at=None, labels=[], slots=0, performs=[])
    contract.answer("GET", "/agents", [agent_document(), new])
    ended = tidegate("agents", "list")
    assert ended.code == 0
    assert [line.split()[:3] for line in ended.out.splitlines()[1:]] == [
        ["mac-1", "busy", "1"],
        ["new", "never", "seen"],
    ]


def test_a_token_is_all_that_standard_output_holds(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/agents/mac-1/token", {"agent": "mac-1", "token": MADE}, status=201)
    ended = tidegate("agents", "token", "mac-1")
    assert ended.out == f"{MADE}\n"
    assert MADE not in ended.err
    assert "tidegate agent --server URL --token-file F --name mac-1" in ended.err
    assert tidegate("agents", "token", "mac-1", "--json").document["token"] == MADE


def test_drain_says_what_is_left_and_how_to_take_it_back(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/agents/mac-1/drain", agent_document(state="draining", drained_by="ada"))
    ended = tidegate("agents", "drain", "mac-1")
    assert "mac-1 gets no more steps; it still performs 1" in ended.out
    assert "next: tidegate agents resume mac-1" in ended.out
    contract.answer("POST", "/agents/mac-1/drain", agent_document(state="drained", performs=[]))
    assert "mac-1 gets no more steps, and has none" in tidegate("agents", "drain", "mac-1").out
    contract.answer("POST", "/agents/mac-1/resume", agent_document())
    assert "mac-1 gets steps again" in tidegate("agents", "resume", "mac-1").out


@pytest.mark.parametrize(("lost", "said"), [(0, "is forgotten\n"), (1, "; 1 step lost"), (2, "; 2 steps lost")])
def test_remove_says_what_is_lost(tidegate: Command, contract: ContractServer, lost: int, said: str) -> None:
    contract.answer("DELETE", "/agents/mac-1", {"agent": "mac-1", "lost": lost})
    ended = tidegate("agents", "remove", "mac-1")
    assert ended.code == 0
    assert said in ended.out


def test_remove_asks_on_a_terminal(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("DELETE", "/agents/mac-1", {"agent": "mac-1", "lost": 0})
    ended = tidegate.on_terminal("agents", "remove", "mac-1", typed=("[y/N]: ", "n\n"))
    assert ended.code == 130
    assert contract.bodies("DELETE", "/agents/mac-1") == []


def test_an_agent_that_nobody_knows_is_said_with_the_command_that_lists_them(
    tidegate: Command, contract: ContractServer
) -> None:
    contract.refuse("POST", "/agents/nosuch/drain", 404, "there is no agent called 'nosuch'", "tidegate agents list")
    ended = tidegate("agents", "drain", "nosuch")
    assert ended.code == 2
    assert "next: tidegate agents list" in ended.err


def test_a_token_on_the_command_line_is_refused_and_not_repeated(alone: Command) -> None:
    ended = alone.as_process("agent", "--server", SERVER, "--token", MADE)
    assert ended.code == 2
    assert "seen by everybody on the machine" in ended.err
    assert "--token-file F, set TIDEGATE_AGENT_TOKEN, or pipe it in: --token -" in ended.err
    assert MADE not in ended.err + ended.out


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        ((), "", "the agent has no token"),
        (("--token", "-"), "\n", "the agent has no token"),
        (("--token", "-"), "two words of some kind\n", "what was given is not a token"),
        (("--token-file", "nosuch"), "", "nosuch cannot be read: No such file or directory"),
        (("--token-file", "t", "--token", "-"), f"{MADE}\n", "--token and --token-file exclude each other"),
        (("--token", "-", "--label", "a b"), f"{MADE}\n", "'a b' cannot be a label"),
        (("--token", "-", "--name", "../x"), f"{MADE}\n", "'../x' cannot name an agent"),
        (("--token", "-", "--slots", "0"), f"{MADE}\n", "--slots"),
    ],
)
def test_an_agent_that_cannot_start_says_why(
    alone: Command, place: Path, arguments: tuple[str, ...], stdin: str, said: str
) -> None:
    (place / "t").write_text(MADE)
    ended = alone("agent", "--server", SERVER, "--folder", str(place / "agent"), *arguments, stdin=stdin)
    assert ended.code == 2
    assert said in ended.err
    assert MADE not in ended.err
    assert not (place / "agent").exists()


@pytest.mark.parametrize("server", ["127.0.0.1:8470", "https://user:secret@host", "ftp://host", "http://"])
def test_an_agents_server_is_an_address(alone: Command, server: str) -> None:
    ended = alone("agent", "--server", server, "--token", "-", stdin=f"{MADE}\n")
    assert ended.code == 2
    assert "--server" in ended.err


@pytest.mark.parametrize("way", ["file", "input", "environment"])
def test_an_agent_dials_with_its_token_its_name_and_its_labels(
    alone: Command, contract: ContractServer, place: Path, way: str
) -> None:
    """It is told to stop by the first request that it makes."""
    contract.answer("POST", "/agents/build-7/lease", _and_stop())
    (place / "t").write_text(f"{TOKEN}\n")
    options = {"file": ["--token-file", str(place / "t")], "input": ["--token", "-"], "environment": []}[way]
    env = {"TIDEGATE_AGENT_TOKEN": TOKEN} if way == "environment" else {}
    common = ["--server", contract.address, "--folder", str(place / "agent"), "--name", "build-7", "--label", "gpu"]
    ended = alone.as_process("agent", *common, "--slots", "3", *options, stdin=f"{TOKEN}\n", env=env)
    assert ended.code == 0, ended.err
    body = contract.bodies("POST", "/agents/build-7/lease")[0]
    assert (body["slots"], body["labels"], body["draining"]) == (3, ["gpu"], False)
    assert (place / "agent" / "instance").exists()
    assert TOKEN not in ended.err


def _and_stop() -> Callable[[object], tuple[int, Any]]:
    """Tell the agent to stop, once: a second signal may find Python at its end, where it handles none any more."""
    told: list[psutil.Process] = []

    def answer(_: object) -> tuple[int, Any]:
        if not told:
            for child in psutil.Process().children():
                with suppress(psutil.Error):  # another one, which has just ended
                    if "agent" in child.cmdline():
                        told.append(child)
                        child.terminate()
        return 200, []

    return answer
