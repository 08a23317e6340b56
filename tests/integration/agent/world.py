"""A data folder, and real agent processes that dial a small real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.integration.agent.agent_process import AgentProcess
from tests.integration.agent.server import LIMIT_SECONDS, Server

from tidegate.model.ids import Commit, RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import Lease, StepReport
from tidegate.model.pipeline import Setup, Step

UID = 61200
_STEP_FIELDS = ("timeout", "junit", "coverage", "outputs", "working_directory", "image", "sidecars", "failed_first")


@dataclass
class World:
    """A data folder with a repository, a server, and the agents that were started."""

    data: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(dir="/tmp", prefix="tga-")))
    server: Server = field(default_factory=Server)
    run_as: int | None = UID if os.geteuid() == 0 else None
    agents: list[AgentProcess] = field(default_factory=list)
    commit: Commit = Commit("")
    slots: int = 4
    output_bytes: int = 256 * 1024 * 1024
    lines: int = 1_000_000
    labels: tuple[str, ...] = ()

    def open(self) -> None:
        """Make the data folder as a server does, with a mirror that only the agent may read."""
        self.data.chmod(0o711)
        (self.data / "admin-token").write_text("hunter2")
        (self.data / "admin-token").chmod(0o600)
        (self.data / "agent-token").write_text(self.server.token)
        (self.data / "agent-token").chmod(0o600)
        (self.data / "git").mkdir(mode=0o700)
        self.source.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit = self.change({"hello.txt": "hello\n", "services/shop/here.txt": "x\n"})
        self.server.up()

    @property
    def source(self) -> Path:
        return self.data / "git" / "shop"

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        person = {"NAME": "Ada", "EMAIL": "ada@example.com"}
        names = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in person.items()}
        env = {"PATH": os.environ["PATH"], "HOME": str(self.data), "GIT_CONFIG_NOSYSTEM": "1", **names}
        done = subprocess.run(["git", *arguments], cwd=self.source, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def change(self, files: Mapping[str, str]) -> Commit:
        """Commit these files."""
        for name, text in files.items():
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "change")
        return Commit(self.git("rev-parse", "HEAD"))

    def close(self) -> None:
        """End everything and remove it."""
        for agent in self.agents:
            agent.kill()
            agent.wait()
        self.server.down()
        self.end_steps()
        shutil.rmtree(self.data, ignore_errors=True)

    def end_steps(self) -> None:
        """End what a test left running."""
        from tidegate.runners.process import ProcessRunner

        runner = ProcessRunner(self.run_as)  # who looks as another user does not see them
        attempts = self.data / "agent" / "attempts"
        for file in attempts.rglob("handle.json") if attempts.exists() else ():
            handle = runner.find(str(file.parent))
            assert handle is not None
            runner.cancel(handle, timedelta(0))

    def start_agent(self, crash_at: int | None = None) -> AgentProcess:
        """Start an agent on the data folder, as a process of its own; it kills itself at that moment."""
        told = {
            "server": self.server.url,
            "token_file": str(self.data / "agent-token"),
            "folder": str(self.data / "agent"),
            "name": "local",
            "slots": self.slots,
            "labels": self.labels,
            "run_as": self.run_as,
            "output_bytes": self.output_bytes,
            "lines": self.lines,
            "crash_at": crash_at,
        }
        agent = AgentProcess(told, self.data / "agent.log")
        self.agents.append(agent)
        return agent

    def kill_agent(self) -> None:
        """kill -9 the newest agent."""
        self.agents[-1].kill()
        self.agents[-1].wait()

    def lease(self, run: str, step_run: str = "STEP1", makes: Mapping[str, str] | None = None, **fields: Any) -> Lease:
        """A lease for a step with that script. `makes` are the step's artifacts; other fields are those of Step
        (timeout, outputs, …) and of Lease; `setup` is a script, `handed` are the outputs of needed steps."""
        own = {name: fields.pop(name) for name in _STEP_FIELDS if name in fields}
        if "setup" in fields:
            fields["setup"] = Setup(fields["setup"])
        if "handed" in fields:
            fields["outputs"] = fields.pop("handed")
        lease = Lease(
            step_run=StepRunId(step_run),
            attempt=1,
            fence=1,
            run=RunId("RUN1"),
            service=ServiceName("shop"),
            scope="build",
            step=Step(name=StepName(step_run.lower()), run=run, artifacts=dict(makes or {}), **own),
            source=str(self.source),
            commit=self.commit,
            path=".",
            setup=None,
            env={"TIDEGATE_COMMIT": self.commit},
            artifacts={},
        )
        return replace(lease, **fields)

    def perform(self, run: str, step_run: str = "STEP1", **fields: Any) -> StepReport:
        """Offer a step and give its result."""
        self.server.offer(self.lease(run, step_run, **fields))
        return self.server.result(step_run)

    def said(self) -> str:
        """What the agents said."""
        log = self.data / "agent.log"
        return log.read_text() if log.exists() else ""


def until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS) -> None:
    """Look again and again until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.01)
