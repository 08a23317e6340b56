"""A server begins the rehearsals that a service's file asks for, as processes of their own, and leaves none behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.acceptance import sample_services
from tests.acceptance.harness import wait_for
from tests.acceptance.test_rehearsals import QUICK

from tidegate.demo.server_process import DemoServer, start_server

REHEARSED = QUICK.replace("  stop_grace: 1s\n", "  stop_grace: 1s\n  secrets: [KEY]\n") + (
    "rehearsals: {every: 7d, faults: [unhealthy], traffic: 20/s, stand_ins: {KEY: will-do}}\n"
)
LIMIT_SECONDS = 120.0


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[DemoServer]:
    """A server with a service that is to be rehearsed."""
    repository = tmp_path / "quick"
    repository.mkdir()
    (repository / "tidegate.yaml").write_text(REHEARSED)
    sample_services.commit(repository, "A service")
    server = start_server(tmp_path / "asked", "batch: 1s\n")
    with server.client() as client:
        client.post("/api/v1/services", json={"repository": str(repository)}).raise_for_status()
        client.put("/api/v1/services/quick/secrets/KEY", json={"value": "real"}).raise_for_status()
    yield server
    tidegate("down", server)


def tidegate(command: str, server: DemoServer) -> str:
    words = [sys.executable, "-m", "tidegate.cli.main", command, "--data", str(server.data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_rehearsal(server: DemoServer) -> list[psutil.Process]:
    """All processes that a rehearsal of that server consists of: their words or their folders lie below its own."""
    folder = str(server.data / "rehearsals")
    found = []
    for one in psutil.process_iter():
        try:
            if one.status() != psutil.STATUS_ZOMBIE and (folder in " ".join(one.cmdline()) or folder in one.cwd()):
                found.append(one)
        except psutil.Error:
            continue
    return found


def player(server: DemoServer) -> psutil.Process | None:
    return next((one for one in of_rehearsal(server) if "rehearse" in one.cmdline()), None)


def plays(server: DemoServer) -> psutil.Process:
    """The process that plays, as soon as its own server is there as well."""
    folder = server.data / "rehearsals" / "quick" / "data" / "server.json"
    return wait_for(lambda: player(server) if folder.exists() else None, "the rehearsal", LIMIT_SECONDS)


def recorded(server: DemoServer) -> list[dict[str, Any]]:
    with server.client() as client:
        return list(client.get("/api/v1/rehearsals").json())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_one_is_played_by_itself_with_the_least_rights_and_recorded(asked: DemoServer) -> None:
    process = plays(asked)
    assert process.nice() == 19
    words = " ".join(process.cmdline())
    assert process.environ()["TIDEGATE_TOKEN"] not in words and "will-do" not in words
    token = process.environ()["TIDEGATE_TOKEN"]
    inner = [one.environ() for one in of_rehearsal(asked) if one.pid != process.pid]
    assert inner and all(token not in each.values() for each in inner), "it is for the server that is asked"
    with asked.client() as client:
        client.headers["authorization"] = f"Bearer {token}"
        assert client.get("/api/v1/status").is_success
        deploy = {"service": "quick", "environment": "staging", "release": "x"}
        assert client.post("/api/v1/deployments", json=deploy).status_code == 403
    (played,) = wait_for(lambda: recorded(asked) or None, "what came of it", LIMIT_SECONDS)
    assert (played["by"]["name"], played["went_well"]) == ("the rehearsal schedule", True)
    wait_for(lambda: None if of_rehearsal(asked) else True, "its end", LIMIT_SECONDS)
    with asked.client() as client:
        client.headers["authorization"] = f"Bearer {token}"
        wait_for(lambda: client.get("/api/v1/status").status_code == 401 or None, "the token's end", LIMIT_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_a_killed_server_leaves_is_ended_by_the_next_one(asked: DemoServer) -> None:
    plays(asked)
    asked.process.kill()
    asked.process.wait()
    assert of_rehearsal(asked)
    again = start_server(asked.data)
    assert not of_rehearsal(asked)
    with again.client() as client:
        (scheduled,) = client.get("/api/v1/rehearsals/schedule").json()
    assert (scheduled["since"], scheduled["is_due"]) == (None, False), "it begins again at its next time"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_ends_with_its_server(asked: DemoServer) -> None:
    plays(asked)
    asked.process.terminate()
    asked.process.wait(60)
    wait_for(lambda: None if of_rehearsal(asked) else True, "its end", LIMIT_SECONDS)
    database = sqlite3.connect(asked.data / "tidegate.sqlite3")
    told = [text for (text,) in database.execute("SELECT text FROM event WHERE kind = 'rehearsal.ended'")]
    assert told == ["the rehearsal of quick was not played to its end: the server was stopped"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", [signal.SIGKILL, None])
def test_tidegate_down_leaves_nothing_of_it(asked: DemoServer, how: signal.Signals | None) -> None:
    plays(asked)
    if how:
        os.kill(asked.process.pid, how)
    tidegate("down", asked)
    asked.process.wait()
    assert not of_rehearsal(asked)
