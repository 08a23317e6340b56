"""A real server in a folder of its own, a real repository, and what a user does with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

SAMPLE = Path(__file__).parent / "sample"
LIMIT_SECONDS = 90.0
LOOK_EVERY_SECONDS = 0.02

CONFIGURATION = "batch: 1s\npoll_interval: 1s\n"

PIPELINE = """\
service: {service}
mode: delivery
build:
  steps:
    - {{name: test, run: {test}}}
runtime:
{prepare}  command: exec python3 service.py
  health: {{path: /healthz, within: 10s}}
  instances: {instances}
  stop_grace: 5s
stages:
  - name: {environment}
    environment: {environment}
{gate}    deploy: {deploy}
{verify}"""


Found = TypeVar("Found")


class GaveUp(AssertionError):
    """What was waited for did not come within the limit."""


def wait_for(look: Callable[[], Found | None], what: str, limit: float = LIMIT_SECONDS) -> Found:
    """The first answer of `look` that is not None (or False)."""
    give_up_at = time.monotonic() + limit
    while time.monotonic() < give_up_at:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(LOOK_EVERY_SECONDS)
    raise GaveUp(f"{what} did not come within {limit:.0f} s")


@dataclass(frozen=True, slots=True)
class Version:
    """What is committed: how the service behaves, and how it is deployed."""

    name: str
    behaviour: dict[str, Any]
    deploy: str = "{strategy: blue-green, keep_warm: 1m}"
    environment: str = "staging"
    verify: str = ""
    approvals: int = 0
    instances: int = 2
    test: str = "test -f service.py"
    prepare: str = ""


class World:
    """A server on a data folder, and one service in a repository beside it."""

    def __init__(
        self,
        folder: Path,
        service: str = "sample",
        repository: Path | None = None,
        configuration: str = CONFIGURATION,
    ) -> None:
        self.configuration = configuration
        self.folder = folder
        self.data = folder / "data"
        self.repository = repository or folder / service
        self.service = service
        self.address = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it says that it is ready."""
        self.data.mkdir(exist_ok=True)
        (self.data / "tidegate-server.yaml").write_text(self.configuration)
        known = self.data / "server.json"
        known.unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidegate.cli.main", "server", "--data", str(self.data), "--port", "0"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        process = self.process

        def _address() -> str | None:
            if process.poll() is not None:
                raise GaveUp(f"the server ended: {self.log()}")
            try:
                address = str(json.loads(known.read_text())["address"])
                return address if httpx.get(f"{address}/readyz", timeout=5).is_success else None
            except (OSError, ValueError, httpx.HTTPError):
                return None

        self.address = wait_for(_address, "a ready server")

    def log(self) -> str:
        """The end of the server's log."""
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-30:])

    def down(self) -> subprocess.CompletedProcess[str]:
        """`tidegate down`."""
        done = self.run("down")
        if self.process:
            self.process.wait(30)
        return done

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """A command of tidegate against this data folder."""
        env = {**os.environ, "TIDEGATE_DATA": str(self.data)}
        env.pop("TIDEGATE_SERVER", None)
        command = [sys.executable, "-m", "tidegate.cli.main", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT_SECONDS, **options)

    def json(self, *arguments: str) -> Any:
        """What a command says with --json; it has to succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr or done.stdout
        return json.loads(done.stdout)

    def api(self, method: str, path: str, **options: Any) -> Any:
        """Ask the API as the administrator."""
        token = (self.data / "admin-token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.request(method, self.address + path, headers=headers, timeout=30, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def commit(self, version: Version) -> str:
        """Commit a version; the new commit."""
        if not self.repository.exists():
            self.repository.mkdir()
            self._git("init", "--quiet", "--initial-branch=main")
            self._git("config", "user.name", "Sam")
            self._git("config", "user.email", "sam@example.com")
        shutil.copy(SAMPLE / "service.py", self.repository / "service.py")
        behaviour = {"version": version.name, **version.behaviour}
        (self.repository / "behaviour.json").write_text(json.dumps(behaviour))
        gate = f"    gate: {{approvals: {{count: {version.approvals}}}}}\n" if version.approvals else ""
        text = PIPELINE.format(
            service=self.service,
            instances=version.instances,
            test=version.test,
            prepare=f"  prepare: {json.dumps(version.prepare)}\n" if version.prepare else "",
            environment=version.environment,
            gate=gate,
            deploy=version.deploy,
            verify=f"    verify: {version.verify}\n" if version.verify else "",
        )
        (self.repository / "tidegate.yaml").write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", version.name)
        return self._git("rev-parse", "HEAD").strip()

    def add(self) -> None:
        """`tidegate service add`."""
        done = self.run("service", "add", str(self.repository))
        assert done.returncode == 0, done.stderr or done.stdout

    def release(self, version: Version) -> str:
        """Commit a version and wait for the end of its run; the run's status."""
        commit = self.commit(version)
        if not self.api("GET", "/api/v1/services"):
            self.add()
        return self.ended(self.run_of(commit))

    def run_of(self, commit: str) -> str:
        """The run of a commit, once there is one."""

        def _look() -> str | None:
            items = self.api("GET", "/api/v1/runs", params={"service": self.service})["items"]
            return next((item["id"] for item in items if item["commit"] == commit), None)

        return wait_for(_look, f"a run of {commit[:8]}")

    def ended(self, run: str) -> str:
        """The run's status once it has ended."""

        def _look() -> str | None:
            status = self.api("GET", f"/api/v1/runs/{run}")["status"]
            return None if status in ("running", "waiting") else str(status)

        try:
            return wait_for(_look, f"the end of run {run}")
        except GaveUp as error:
            told = [f"{one['at']} {one['text']}" for one in self.events(run)]
            raise GaveUp("\n".join([str(error), *told, self.log()])) from error

    def events(self, run: str) -> list[dict[str, Any]]:
        """All events of a run."""
        page = self.api("GET", f"/api/v1/runs/{run}/events", params={"after": 0, "limit": 1000})
        return list(page["items"] if isinstance(page, dict) else page)

    def placement(self, environment: str = "staging") -> dict[str, Any]:
        """What `status` says of an environment."""
        (status,) = self.api("GET", "/api/v1/status", params={"service": self.service})
        return dict(status["environments"][environment])

    def url(self, environment: str = "staging") -> str:
        """Where the service answers in an environment."""
        return str(self.placement(environment)["address"])

    def kill(self, what: str, sig: int = signal.SIGKILL) -> int:
        """Send a signal to the server, the agent, Envoy or supervisord; its pid."""
        pid = self.pid(what)
        os.kill(pid, sig)
        if what == "server" and sig == signal.SIGKILL and self.process:
            self.process.wait(10)
        return pid

    def pid(self, what: str) -> int:
        """The process of a part, which may be about to begin: the server does not wait for its programs."""
        if what == "server":
            assert self.process is not None
            return self.process.pid
        return wait_for(lambda: self._pid_now(what), f"a process of {what}")

    def _pid_now(self, what: str) -> int | None:
        marks = {"agent": "tidegate.cli.main agent", "envoy": "envoy", "supervisord": "supervisord"}
        for process in self.processes():
            try:
                words = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if marks[what] in words and (what != "envoy" or str(self.data) in words) and "setpriv" not in words:
                return process.pid
        return None

    def processes(self) -> list[psutil.Process]:
        """Every process that names the data folder on its command line or in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                marks = " ".join([*process.cmdline(), *process.environ().values()])
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if str(self.data) in marks and process.pid != os.getpid():
                found.append(process)
        return found

    def _git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.repository, check=True, capture_output=True, text=True
        ).stdout


@contextmanager
def a_world(
    folder: Path | None = None, repository: Path | None = None, configuration: str = CONFIGURATION
) -> Iterator[World]:
    """A started server, everything of which is ended afterwards; in a new folder where none is named."""
    made = Path(tempfile.mkdtemp(prefix="tidegate-story-", dir="/tmp")) if folder is None else folder
    made.chmod(0o711)
    world = World(made, repository=repository, configuration=configuration)
    try:
        world.start()
        yield world
    finally:
        world.down()
        for process in world.processes():
            process.kill()
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)
