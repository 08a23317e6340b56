"""Agents on other machines, as processes of their own on this one; and what they use of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from .harness import World, wait_for

MIB = 1024**2
SAMPLE_EVERY_SECONDS = 0.2


class RemoteAgent:
    """An agent with a token and a folder of its own. It shares nothing with the server but HTTP.

    `env` is put over this process's environment, and `umask` in place of its umask.
    """

    def __init__(
        self, world: World, name: str, slots: int, *options: str, env: Mapping[str, str] | None = None, umask: int = -1
    ) -> None:
        self.name = name
        self._env = {**os.environ, **(env or {})}
        self._umask = umask
        self.folder = world.folder / "agents" / name
        self.folder.parent.mkdir(mode=0o711, exist_ok=True)
        self.folder.parent.chmod(0o711)
        self._options = (*("--server", world.address, "--name", name, "--slots", str(slots)), *options)
        self._token = world.folder / f"{name}.token"
        done = world.run("agents", "token", name)
        assert done.returncode == 0, done.stderr
        self._token.write_text(done.stdout)
        self._token.chmod(0o600)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it, or its next life; its process."""
        command = [sys.executable, "-m", "tidegate.cli.main", "agent", *self._options]
        command += ["--token-file", str(self._token), "--folder", str(self.folder)]
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd="/",
                stdin=subprocess.DEVNULL,
                env=self._env,
                umask=self._umask,
            )
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def log(self) -> str:
        """What it wrote."""
        return self.folder.with_suffix(".log").read_text(errors="replace")


@contextmanager
def ended_afterwards(agents: list[RemoteAgent]) -> Iterator[None]:
    """Whatever happens, no agent is left, nor a step of it; a stopped one takes its SIGKILL, too."""
    try:
        yield
    finally:
        for agent in agents:
            agent.kill()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(agent.folder) in word for agent in agents for word in process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.Error):
                    process.kill()


class Memory:
    """The most memory that each of some processes was seen to use; they may come and go."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.most: dict[str, float] = {}
        self._watched: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def watch(self, name: str, pid: int) -> None:
        """From now on this process counts under the name."""
        self._watched[name] = pid

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._stopping.wait(SAMPLE_EVERY_SECONDS):
            for name, pid in list(self._watched.items()):
                with contextlib.suppress(psutil.Error):
                    used = psutil.Process(pid).memory_info().rss / MIB
                    self.first.setdefault(name, used)
                    self.most[name] = max(used, self.most.get(name, 0.0))


def repository(folder: Path, service: str, run: str, commits: int) -> list[str]:
    """A repository of that service in `folder` (made where it is missing) with so many more commits; their names."""
    env = {**os.environ, **{f"GIT_{who}_{what}": "sam@example.com" for who in _WHO for what in ("NAME", "EMAIL")}}

    def _git(*arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, env=env, input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    if not folder.exists():
        folder.mkdir()
        _git("init", "--quiet", "--initial-branch=main")
        step = f"    - {{name: test, run: {run}}}\n"
        (folder / "tidegate.yaml").write_text(f"service: {service}\nbuild:\n  steps:\n{step}")
        _git("add", "--all")
        tip = _git("commit-tree", _git("write-tree"), given=b"first")
    else:
        tip = _git("commit-tree", "HEAD^{tree}", "-p", "HEAD", given=b"next")
    found = [tip]
    while len(found) < commits:
        found.append(_git("commit-tree", f"{tip}^{{tree}}", "-p", found[-1], given=f"change {len(found)}".encode()))
    _git("update-ref", "refs/heads/main", found[-1])
    return found


_WHO = ("AUTHOR", "COMMITTER")


def all_runs(world: World) -> list[dict[str, Any]]:
    """Every run, oldest first."""
    found: list[dict[str, Any]] = []
    before = None
    while True:
        query = {"limit": 200, **({"before": before} if before else {})}
        page = world.api("GET", "/api/v1/runs", params=query)
        found += page["items"]
        before = page["next"]
        if before is None:
            return found[::-1]


def all_events(world: World) -> list[dict[str, Any]]:
    """The whole record, oldest first."""
    token = (world.data / "admin-token").read_text().strip()
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    found: list[dict[str, Any]] = []
    with httpx.Client(base_url=world.address, headers=headers, timeout=30) as client:
        while page := client.get("/api/v1/events", params={"after": found[-1]["id"] if found else 0}).json():
            found += page
    return found


def until_agents(world: World, **states: str) -> None:
    """Wait until agents stand so."""

    def _so() -> bool:
        now = {one["name"]: one["state"] for one in world.api("GET", "/api/v1/agents")}
        return all(now.get(name) == state for name, state in states.items())

    wait_for(_so, f"agents in these states: {states}")
