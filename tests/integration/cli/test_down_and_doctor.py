"""What a user relies on in `down` and `doctor`: all of a data folder ends, nothing else; each finding has a remedy."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer
from tests.integration.metrics.answering import answering
from tests.processes import is_running

from tidegate.supervision.program import Program
from tidegate.supervision.supervisor import Supervisor

SECONDS = 20.0
SERVER = """
import fcntl, json, os, signal, sys
from pathlib import Path
data = Path(sys.argv[1])
lock = (data / "server.lock").open("a+")
fcntl.flock(lock, fcntl.LOCK_EX)
if sys.argv[2] == "announced":
    (data / "server.json").write_text(json.dumps({"address": "http://127.0.0.1:9", "pid": os.getpid()}))
print("up", flush=True)
signal.pause()
"""


@pytest.fixture
def start_server(alone: Command) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that has the data folder as a server has it."""
    started: list[subprocess.Popen[str]] = []

    def start(announced: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", SERVER, str(alone.data), announced, "tidegate server"]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_down_ends_the_server_and_all_that_it_keeps_alive(
    alone: Command, start_server: Callable[[str], subprocess.Popen[str]]
) -> None:
    server = start_server("announced")
    supervisor = Supervisor(alone.data)
    supervisor.ensure_running()
    sleep = Program("svc-shop", ("sleep", "1000"), alone.data, alone.data / "log", stop_grace=timedelta(seconds=1))
    supervisor.put(sleep)
    pid = supervisor.state("svc-shop").pid
    assert pid is not None
    ended = alone.as_process("down", "--json")
    assert ended.code == 0
    what = {one["what"]: one["pid"] for one in ended.document["ended"]}
    assert {"the server": server.pid, "svc-shop": pid}.items() <= what.items()
    assert "supervisor" in what
    assert server.wait(SECONDS) == -signal.SIGTERM
    assert not is_running(pid) and not is_running(what["supervisor"])
    assert not (alone.data / "server.json").exists()
    assert "and nothing did" in alone.as_process("down").out


def test_down_ends_a_server_that_is_only_starting(
    alone: Command, start_server: Callable[[str], subprocess.Popen[str]]
) -> None:
    server = start_server("silent")
    assert alone.as_process("down").code == 0
    assert server.wait(SECONDS) == -signal.SIGTERM


def test_down_leaves_a_process_alone_that_only_has_the_servers_number(alone: Command) -> None:
    stranger = subprocess.Popen(["sleep", "1000"])
    later = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "tidegate"])
    try:
        for process, started in ((stranger, None), (later, 1.0)):
            known = {"address": "http://127.0.0.1:9", "pid": process.pid, "started": started}
            (alone.data / "server.json").write_text(json.dumps(known))
            assert alone.as_process("down").code == 0
            assert process.poll() is None
    finally:
        for process in (stranger, later):
            process.kill()
            process.wait()


def test_down_of_a_folder_that_is_not_there_is_wrong_usage(alone: Command, place: Path) -> None:
    assert alone.as_process("down", "--data", str(place / "nowhere")).code == 2


def test_doctor_finds_nothing_in_the_way_of_a_server(alone: Command, envoy_is_here: None) -> None:
    ended = alone("doctor", "--port", "0", "--json")
    assert ended.code == 0, ended.out
    about = {one["about"] for one in ended.document}
    assert {"platform", "git", "envoy", "supervisor", "data folder", "server", "port", "isolation"} <= about


def test_every_problem_that_doctor_finds_has_a_remedy(alone: Command, place: Path) -> None:
    (alone.data / "admin-token").write_text("t")
    (alone.data / "admin-token").chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = alone("doctor", "--port", port, "--envoy", str(place / "nowhere"), "--json", env={"PATH": "/nowhere"})
    assert ended.code == 1
    bad = {one["about"]: one["remedy"] for one in ended.document if one["level"] == "problem"}
    assert set(bad) == {"git", "envoy", "port", "secrets"}
    assert all(bad.values())
    assert bad["secrets"] == f"chmod 600 {alone.data}/admin-token"


def test_doctor_looks_at_the_addresses_of_channels_without_telling_them(
    tidegate: Command, contract: ContractServer
) -> None:
    channels = ("open", "wrong", "failing", "fine", "missing")
    listed = ", ".join(f"{{name: {one}, urls_file: {one}-urls}}" for one in channels)
    (tidegate.data / "tidegate-server.yaml").write_text(f"notifications: [{listed}]\n")
    for one in channels[:-1]:
        file = tidegate.data / f"{one}-urls"
        file.write_text("nosuch://s3cr3t@x" if one == "wrong" else "json://s3cr3t@h.example/x")
        file.chmod(0o644 if one == "open" else 0o600)
    failing = {"name": "failing", "failing_since": "2026-03-02T12:00:00Z", "failing_because": "JSON answered with 404"}
    contract.answer("GET", "/notifications", [failing])
    ended = tidegate("doctor", "--json")
    found = {one["about"].removeprefix("channel "): one for one in ended.document if "channel" in one["about"]}
    assert {name: one["level"] for name, one in found.items()} == {
        **dict.fromkeys(("open", "wrong", "missing"), "problem"),
        "failing": "warning",
        "fine": "ok",
    }
    assert found["open"]["remedy"] == f"chmod 600 {tidegate.data}/open-urls"
    assert found["failing"]["text"] == "messages do not arrive: JSON answered with 404"
    assert "s3cr3t" not in ended.out + ended.err
    (tidegate.data / "tidegate-server.yaml").write_text("notifications: [{name: x}]\n")
    (wrong,) = [one for one in tidegate("doctor", "--json").document if one["about"] == "configuration"]
    assert '"urls_file" is missing' in wrong["text"]


def test_doctor_asks_the_prometheus_that_the_server_would_ask(tidegate: Command) -> None:
    file, token = tidegate.data / "tidegate-server.yaml", tidegate.data / "prometheus-token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    with answering() as server:
        file.write_text(f"metrics: {{prometheus: {{url: '{server.url}', token_file: prometheus-token}}}}\n")
        server.vector(({}, "1"))
        fine = prometheus(tidegate)
        server.status = 401
        refused = prometheus(tidegate)
    token.chmod(0o640)
    token_is_open = prometheus(tidegate)
    assert [one["level"] for one in (fine, refused, token_is_open)] == ["ok", "warning", "problem"]
    assert server.asked[0][2]["Authorization"] == "Bearer s3cret"
    assert "answers 401" in refused["text"] and token_is_open["remedy"] == f"chmod 600 {token}"
    assert not any("s3cret" in one["text"] for one in (fine, refused, token_is_open))


def prometheus(tidegate: Command) -> dict[str, str]:
    """What doctor finds of it."""
    (found,) = [one for one in tidegate("doctor", "--json").document if one["about"] == "prometheus"]
    return {key: str(value) for key, value in found.items()}


def test_doctor_knows_the_server_thatis_running(tidegate: Command, contract: ContractServer) -> None:
    found = {one["about"]: one for one in tidegate("doctor", "--json").document}
    assert found["server"]["level"] == "ok"
    assert contract.address in found["server"]["text"]
    assert "port" not in found


@pytest.fixture
def envoy_is_here(require: Callable[[str, bool], None]) -> None:
    from tidegate.routers.envoy_process import EnvoyMissing, envoy_binary

    try:
        envoy_binary()
    except EnvoyMissing:
        require("Envoy", False)


def test_an_agent_that_cannot_begin_says_why(alone: Command, place: Path) -> None:
    folder = str(place / "agent")
    ended = alone("agent", "--server", "nowhere", "--token-file", os.devnull, "--folder", folder)
    assert ended.code == 2
    assert "--server: 'nowhere' is not the address of a server" in ended.err
    missing = alone("agent", "--server", "http://127.0.0.1:9", "--token-file", str(place / "t"), "--folder", folder)
    assert missing.code == 2
    assert "cannot be read" in missing.err
