"""How long 100 steps that do nothing take one after another, through Tidegate's server and through Buildbot's. Prints,
asserts nothing.

.venv/bin/python tests/bench/steps_vs_buildbot.py [--steps N] [--rounds N] [--rest SECONDS]

Each tool has a server and an agent of its own on this machine, and knows what it builds, when the clock starts. It runs
from the request for a build (Buildbot: forcing it; Tidegate: the record of a run for a new commit) to the build's end.
They build in turns. Buildbot comes from the package index into an
environment of its own; everything is in a temporary folder, and gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
from tests.acceptance.harness import a_world, wait_for
from tests.integration.routers.services import free_port

PACKAGES = ("buildbot==4.3.0", "buildbot-worker==4.3.0", "buildbot-www==4.3.0", "setuptools==80.9.0")
"""Buildbot imports what newer versions of setuptools do not bring any more."""

LIMIT_SECONDS = 600.0
LOOK_EVERY_SECONDS = 0.25
"""Seldom enough not to slow down who is asked."""

NAME = "bench"
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
MASTER = """\
from buildbot.plugins import schedulers, steps, util, worker

nothing = [steps.ShellCommand(name=f"s{{at}}", command=["true"]) for at in range({steps})]
BuildmasterConfig = {{
    "workers": [worker.Worker("bench", "bench")],
    "protocols": {{"pb": {{"port": "tcp:{worker_port}:interface=127.0.0.1"}}}},
    "builders": [util.BuilderConfig("bench", workernames=["bench"], factory=util.BuildFactory(nothing))],
    "schedulers": [schedulers.ForceScheduler("force", builderNames=["bench"])],
    "www": {{"port": "tcp:{web_port}:interface=127.0.0.1"}},
    "buildbotURL": "http://127.0.0.1:{web_port}/",
    "buildbotNetUsageData": None,
    "db": {{"db_url": "sqlite:///state.sqlite"}},
}}
"""


@dataclass(frozen=True, slots=True)
class Buildbot:
    """A running master, asked by its data API."""

    client: httpx.Client

    def build(self) -> float:
        """Force a build; the seconds until it has ended."""
        began = time.monotonic()
        asked = {"jsonrpc": "2.0", "id": 1, "method": "force", "params": {}}
        answer = self.client.post("/forceschedulers/force", json=asked).raise_for_status().json()
        (request,) = answer["result"][1].values()
        build = look_until(lambda: self._ended(request))
        seconds = time.monotonic() - began
        if build["results"] != 0:
            sys.exit(f"Buildbot's build failed: {build}")
        return seconds

    def _ended(self, request: int) -> dict[str, Any] | None:
        builds: list[dict[str, Any]] = self.client.get(f"/buildrequests/{request}/builds").json()["builds"]
        return builds[0] if builds and builds[0]["complete"] else None

    def has_worker(self) -> bool:
        """Whether a worker is connected."""
        try:
            return bool(self.client.get("/workers").raise_for_status().json()["workers"][0]["connected_to"])
        except (httpx.HTTPError, IndexError):
            return False


@contextmanager
def a_buildbot(root: Path, steps: int) -> Iterator[Buildbot]:
    """A master and its worker, both ended afterwards."""
    venv.create(root / "venv", with_pip=True)
    bin_ = root / "venv/bin"
    run(root, str(bin_ / "pip"), "install", "--quiet", *PACKAGES)
    web, workers = free_port(), free_port()
    run(root, str(bin_ / "buildbot"), "create-master", "master")
    (root / "master/master.cfg").write_text(MASTER.format(steps=steps, web_port=web, worker_port=workers))
    run(root, str(bin_ / "buildbot-worker"), "create-worker", "worker", f"127.0.0.1:{workers}", "bench", "bench")
    commands = ((bin_ / "buildbot", "master"), (bin_ / "buildbot-worker", "worker"))
    started = []
    try:
        for command, folder in commands:
            with (root / f"{folder}.log").open("wb") as log:
                words = [str(command), "start", "--nodaemon", folder]
                started.append(subprocess.Popen(words, cwd=root, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        with httpx.Client(base_url=f"http://127.0.0.1:{web}/api/v2", timeout=60.0) as client:
            buildbot = Buildbot(client)
            wait_for(buildbot.has_worker, f"Buildbot's worker (see {root}/master.log)")
            yield buildbot
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


@dataclass(slots=True)
class Tidegate:
    """A running server with its local agent."""

    root: Path
    client: httpx.Client
    steps: int

    def build(self) -> float:
        """Commit to the service, which the first time is added; the seconds from the record of the run to its end.

        The server looks at a repository once a second. Its pause is not counted, and neither is its fetch: a forced
        build of Buildbot fetches nothing.
        """
        folder = self.root / NAME
        is_new = not folder.exists()
        if is_new:
            chain = [
                {"name": f"s{at}", "run": "true", "needs": [f"s{at - 1}"] if at else []} for at in range(self.steps)
            ]
            folder.mkdir()
            (folder / "tidegate.yaml").write_text(json.dumps({"service": NAME, "build": {"steps": chain}}, indent=1))
            run(folder, "git", "init", "--quiet", "--initial-branch=main")
            run(folder, "git", "add", "--all")
        run(folder, "git", *WHO, "commit", "--quiet", "--allow-empty", "--message", "nothing, many times")
        commit = run(folder, "git", "rev-parse", "HEAD").strip()
        if is_new:
            self.client.post("/services", json={"repository": str(folder)}).raise_for_status()
        ended = look_until(lambda: self._ended(commit))
        if ended["status"] != "succeeded":
            sys.exit(f"Tidegate's run {ended['id']} {ended['status']}: {ended['because']}")
        created, end = (datetime.fromisoformat(ended[at]) for at in ("created_at", "ended_at"))
        return (end - created).total_seconds()

    def _ended(self, commit: str) -> dict[str, Any] | None:
        items = self.client.get("/runs", params={"service": NAME, "limit": 1}).raise_for_status().json()["items"]
        return items[0] if items and items[0]["commit"] == commit and items[0]["ended_at"] else None


@contextmanager
def a_tidegate(steps: int) -> Iterator[Tidegate]:
    """A server and its agent, both ended afterwards."""
    with a_world() as world:
        wait_for(lambda: world.api("GET", "/api/v1/agents") or None, "the local agent")
        headers = {"authorization": f"Bearer {(world.data / 'admin-token').read_text().strip()}"}
        with httpx.Client(base_url=f"{world.address}/api/v1", headers=headers, timeout=60.0) as client:
            yield Tidegate(world.folder, client, steps)


def look_until(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """The first answer that there is."""
    give_up_at = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < give_up_at:
        time.sleep(LOOK_EVERY_SECONDS)
        if found := look():
            return found
    sys.exit(f"a build did not end within {LIMIT_SECONDS:g} s")


def run(folder: Path, *command: str) -> str:
    """Run a command that has to succeed; what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def least_and_most(times: list[float]) -> str:
    """`1.31-1.52`."""
    return f"{min(times):.2f}-{max(times):.2f}"


def take_turns(buildbot: Callable[[], float], tidegate: Callable[[], float], asked: argparse.Namespace) -> None:
    """Build with both in turns, and print medians and their ratio as a line of a table."""
    times: list[tuple[float, float]] = []
    for _ in range(asked.rounds):
        time.sleep(asked.rest)
        theirs, ours = buildbot(), tidegate()
        times.append((theirs, ours))
        print(f"  Buildbot {theirs:.2f} s, Tidegate {ours:.2f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    their, our = ([one[at] for one in times] for at in range(2))
    print("| steps | Buildbot | Tidegate | Tidegate, a step | ratio |\n| --- | --- | --- | --- | --- |")
    print(
        f"| {asked.steps} | {median(their):.2f} s ({least_and_most(their)}) "
        f"| {median(our):.2f} s ({least_and_most(our)}) | {median(our) / asked.steps * 1000:.1f} ms "
        f"| 1/{median(their) / median(our):.1f} |"
    )


def main() -> None:
    """One build of each that does not count, then the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=float, default=1.0, help="seconds between rounds")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tgb-") as name,
        a_buildbot(Path(name), asked.steps) as buildbot,
        a_tidegate(asked.steps) as tidegate,
    ):
        print(f"{os.cpu_count()} cores; the first builds: {buildbot.build():.2f} s, {tidegate.build():.2f} s")
        take_turns(buildbot.build, tidegate.build, asked)


if __name__ == "__main__":
    main()
