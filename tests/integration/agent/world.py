"""A small real server that speaks the agent's contract over HTTP, and real agent processes that dial it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

from tidegate.agent.record import held_by
from tidegate.agent.wire import (
    LEASE_REQUEST,
    LEASES,
    LOG_REQUEST,
    RENEW_REQUEST,
    RESULT_REQUEST,
    Held,
    decode,
    encode,
)
from tidegate.model.ids import Commit, Digest, RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import Lease, LogLine, StepReport
from tidegate.model.pipeline import Setup, Step

UID = 61200
_STEP_FIELDS = ("timeout", "junit", "coverage", "outputs", "working_directory", "image", "sidecars")
LIMIT_SECONDS = 20.0

_AGENT = """
import json, logging, sys
from datetime import timedelta
from pathlib import Path
from tidegate.agent.agent import AgentSettings, run
from tidegate.agent.follower import Limits
told = json.loads(sys.argv[1])
crash_at = told.pop("crash_at")
if crash_at is not None:
    # kill -9 of itself right before or right after the n-th file that it writes about an attempt
    import os, signal
    from tidegate.agent.record import AttemptRecord
    from tidegate.runners import process
    moments = []
    def crashing(write):
        def either_side(*arguments):
            for act in (lambda: None, lambda: write(*arguments)):
                act()
                moments.append(act)
                if len(moments) > crash_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        return either_side
    AttemptRecord._write = crashing(AttemptRecord._write)
    process._write_handle = crashing(process._write_handle)
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
limits = Limits(timedelta(seconds=0.3), told.pop("output_bytes"), told.pop("lines"))
told["folder"], told["token_file"] = Path(told["folder"]), Path(told["token_file"])
run(AgentSettings(**told, limits=limits))
"""


@dataclass
class Server:
    """What a server knows about steps, behind a real HTTP port that can go away and come back."""

    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    ready: list[Lease] = field(default_factory=list)
    given: dict[Held, Lease] = field(default_factory=dict)
    fences: dict[StepRunId, int] = field(default_factory=dict)
    cancel: set[StepRunId] = field(default_factory=set)
    logs: dict[StepRunId, list[LogLine]] = field(default_factory=lambda: defaultdict(list))
    results: dict[StepRunId, list[StepReport]] = field(default_factory=lambda: defaultdict(list))
    artifacts: dict[Digest, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refused_tokens: int = 0
    corrupt_uploads: bool = False
    token: str = "agent-token"
    _http: _Http | None = None
    _thread: threading.Thread | None = None

    def up(self) -> None:
        """Answer on the port; the first time a free one is taken, later the same."""
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = _Http(("127.0.0.1", self.port), handler)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def down(self) -> None:
        """Go away: nothing listens on the port, and open connections are cut."""
        if self._http is None or self._thread is None:
            return
        http, self._http = self._http, None
        with self.changed:
            self.changed.notify_all()
        http.shutdown()
        self._thread.join()
        http.server_close()
        http.cut()

    @property
    def is_up(self) -> bool:
        return self._http is not None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def offer(self, *leases: Lease) -> None:
        """Make these steps ready."""
        with self.changed:
            for lease in leases:
                self.fences[lease.step_run] = lease.fence
                self.ready.append(lease)
            self.changed.notify_all()

    def until(self, condition: Callable[[Server], object], seconds: float = LIMIT_SECONDS) -> None:
        """Wait until the condition holds; it is looked at after every request."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), seconds), "did not happen in time"

    def result(self, step_run: str) -> StepReport:
        """The result of a step, once it is there."""
        self.until(lambda server: server.results[StepRunId(step_run)])
        return self.results[StepRunId(step_run)][0]

    def lines(self, step_run: str) -> list[str]:
        """The log of a step as far as the server has it."""
        with self.changed:
            return [line.text for line in self.logs[StepRunId(step_run)]]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.open: set[Any] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for one in list(self.open):
            self.shutdown_request(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_state: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        digest = Digest(self.path.rpartition("/")[2].replace("%3A", ":"))
        data = self.server_state.artifacts.get(digest)
        self._answer(200 if data is not None else 404, data or b"{}")

    def do_PUT(self) -> None:
        data = b"".join(self._chunks())
        if self.server_state.corrupt_uploads:
            data += b"!"
        digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        self.server_state.artifacts[digest] = data
        self._answer(200, json.dumps({"digest": digest, "size": len(data)}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        state = self.server_state
        if self.headers["Authorization"] != f"Bearer {state.token}":
            with state.changed:
                state.refused_tokens += 1
                state.changed.notify_all()
            self._answer(401, b"{}")
            return
        _, _, _, kind, name, what = self.path.split("/")
        act = getattr(self, f"_{kind}_{what}")
        with state.changed:
            state.requests.append(what)
            status, answer = act(name, body)
            state.changed.notify_all()
        self._answer(status, answer)

    def _agents_lease(self, name: str, body: bytes) -> tuple[int, bytes]:
        state = self.server_state
        asked = decode(LEASE_REQUEST, body)
        # what was given to an agent that died before it heard of it is given once more
        unheard = [lease for held, lease in state.given.items() if held not in asked.held]
        state.ready = [*unheard, *state.ready]
        state.changed.wait_for(lambda: state.ready or not state.is_up, 1)
        leases, state.ready = state.ready[: asked.slots_free], state.ready[asked.slots_free :]
        state.given = {held: lease for held, lease in state.given.items() if held in asked.held}
        state.given |= {held_by(lease): lease for lease in leases}
        return 200, encode(LEASES, tuple(leases))

    def _agents_renew(self, name: str, body: bytes) -> tuple[int, bytes]:
        state = self.server_state
        held = decode(RENEW_REQUEST, body).held
        refused = [one.step_run for one in held if state.fences.get(one.step_run) != one.fence]
        return 200, json.dumps({"cancel": sorted(state.cancel), "refused": refused}).encode()

    def _steps_log(self, name: str, body: bytes) -> tuple[int, bytes]:
        state = self.server_state
        asked = decode(LOG_REQUEST, body)
        if state.fences.get(StepRunId(name)) != asked.fence:
            return 409, b"{}"
        log = state.logs[StepRunId(name)]
        if asked.first <= len(log):
            log.extend(asked.lines[len(log) - asked.first :])
        return 200, json.dumps({"next": len(log)}).encode()

    def _steps_result(self, name: str, body: bytes) -> tuple[int, bytes]:
        state = self.server_state
        asked = decode(RESULT_REQUEST, body)
        if state.fences.get(StepRunId(name)) != asked.fence:
            return 409, b"{}"
        state.results[StepRunId(name)].append(asked.report)
        state.given.pop(Held(StepRunId(name), asked.attempt, asked.fence), None)
        return 200, b'{"accepted": true}'

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class World:
    """A data folder with a repository, a server, and the agents that were started."""

    data: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(dir="/tmp", prefix="tga-")))
    server: Server = field(default_factory=Server)
    run_as: int | None = UID if os.geteuid() == 0 else None
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    commit: Commit = Commit("")
    slots: int = 4
    output_bytes: int = 256 * 1024 * 1024
    lines: int = 1_000_000

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

        attempts = self.data / "agent" / "attempts"
        for file in attempts.rglob("handle.json") if attempts.exists() else ():
            handle = ProcessRunner().find(str(file.parent))
            assert handle is not None
            ProcessRunner().cancel(handle, timedelta(0))

    def start_agent(self, crash_at: int | None = None) -> subprocess.Popen[bytes]:
        """Start an agent on the data folder, as a process of its own; it kills itself at that moment."""
        told = {
            "server": self.server.url,
            "token_file": str(self.data / "agent-token"),
            "folder": str(self.data / "agent"),
            "name": "local",
            "slots": self.slots,
            "run_as": self.run_as,
            "output_bytes": self.output_bytes,
            "lines": self.lines,
            "crash_at": crash_at,
        }
        with (self.data / "agent.log").open("ab") as log:
            agent = subprocess.Popen([sys.executable, "-c", _AGENT, json.dumps(told)], stderr=log)
        self.agents.append(agent)
        return agent

    def kill_agent(self) -> None:
        """kill -9 the newest agent."""
        self.agents[-1].send_signal(signal.SIGKILL)
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
        return (self.data / "agent.log").read_text()


def is_running(pid: int) -> bool:
    """Whether a process of that pid runs; one that only waits to be asked for its status does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS) -> None:
    """Look again and again until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.01)
