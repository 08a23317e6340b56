"""A server that speaks the contract, and the command with a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import TOKEN, ContractServer, handler_of


@pytest.fixture
def contract() -> Iterator[ContractServer]:
    contract = ContractServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(contract))
    server.daemon_threads = True
    server.block_on_close = False
    contract.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield contract
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A short folder of its own."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgc-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def alone(place: Path) -> Command:
    """The command where no server runs."""
    data = place / "data"
    data.mkdir()
    home = place / "home"
    home.mkdir()
    env = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "HOME": str(home),
        "TIDEGATE_DATA": str(data),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
    return Command(data, place, env)


@pytest.fixture
def tidegate(alone: Command, contract: ContractServer) -> Command:
    """The command on the data folder of the server that speaks the contract."""
    (alone.data / "server.json").write_text(json.dumps({"address": contract.address, "pid": os.getpid()}))
    (alone.data / "admin-token").write_text(TOKEN + "\n")
    return alone


@pytest.fixture
def git(place: Path) -> Callable[..., str]:
    """Run git in a folder, as somebody."""

    def run(folder: Path, *arguments: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place / "home"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(["git", "-C", str(folder), *arguments], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
