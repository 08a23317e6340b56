"""A small real server that speaks the agent's contract over HTTP, and can go away and come back."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tidegate.agent.wire import (
    LEASE_REQUEST,
    LEASES,
    LOG_REQUEST,
    RENEW_REQUEST,
    RESULT_ANSWER,
    RESULT_REQUEST,
    Held,
    LeaseRequest,
    ResultAnswer,
    decode,
    encode,
    held_by,
)
from tidegate.model.ids import Digest, StepRunId
from tidegate.model.lease import Lease, LogLine, StepOutcome, StepReport
from tidegate.model.step_ahead import Promise

LIMIT_SECONDS = 60.0


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
    answers_next: bool = True
    """Whether leases come with the answer to a result, too; a server of the releases before does not know that."""

    corrupt_uploads: bool = False
    token: str = "agent-token"
    asked: list[LeaseRequest] = field(default_factory=list)
    asked_next: list[tuple[str | None, LeaseRequest]] = field(default_factory=list)
    """Who asked for more with a result, and what that one said."""

    promised: dict[StepRunId, Lease] = field(default_factory=dict)
    """What may begin by itself after a step, once that was given."""

    wants_promised: bool = True
    """Whether what began by itself is its agent's own."""

    names_began: bool = True
    """Whether that is said as such: a server that is older gives it like any other step."""

    before_answer: Callable[[StepRunId], object] = lambda _: None
    """Called with the step whose result came, before that is looked at."""

    gives_too_many: int = 0
    """How many leases more than there are free slots come with a result."""

    refusal: dict[str, str] | None = None
    """What agents that ask for work are told instead of an answer."""

    handler: type[BaseHTTPRequestHandler] | None = None
    """What answers, where a test has its own."""

    _http: _Http | None = None
    _thread: threading.Thread | None = None

    def up(self) -> None:
        """Answer on the port; the first time a free one is taken, later the same."""
        handler = type("Handler", (self.handler or Handler,), {"server_state": self})
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

    def give(self, slots: int) -> tuple[Lease, ...]:
        """Give away so many of the steps that are ready."""
        leases, self.ready = self.ready[:slots], self.ready[slots:]
        self.given |= {held_by(lease): lease for lease in leases}
        return tuple(leases)

    def begun(self, held: Held) -> Lease | None:
        """What an agent began by itself is its own from now on; None for what was never promised so."""
        lease = next((one for one in self.promised.values() if held_by(one) == held), None)
        if lease:
            self.fences[lease.step_run] = lease.fence
            self.given[held] = lease
        return lease

    def until(self, condition: Callable[[Server], object], seconds: float = LIMIT_SECONDS) -> None:
        """Wait until the condition holds; it is looked at after every request."""
        with self.changed:
            happened = self.changed.wait_for(lambda: condition(self), seconds)
            assert happened, f"did not happen in time; the results: {dict(self.results)}"

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


class Handler(BaseHTTPRequestHandler):
    """Answers as the API does."""

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
        state.asked.append(asked)
        if state.refusal:
            return 409, json.dumps(state.refusal).encode()
        # what was given to an agent that died before it heard of it is given once more
        unheard = [lease for held, lease in state.given.items() if held not in asked.held]
        state.ready = [*unheard, *state.ready]
        state.changed.wait_for(lambda: state.ready or not state.is_up, 1)
        state.given = {held: lease for held, lease in state.given.items() if held in asked.held}
        return 200, encode(LEASES, state.give(asked.slots_free))

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
        state.before_answer(StepRunId(name))
        if state.fences.get(StepRunId(name)) != asked.fence:
            return 409, b"{}"
        state.results[StepRunId(name)].append(asked.report)
        state.given.pop(Held(StepRunId(name), asked.attempt, asked.fence), None)
        follower = state.promised.get(StepRunId(name))
        is_ready = state.wants_promised and asked.report.outcome is StepOutcome.SUCCEEDED and not asked.began
        if follower and is_ready and follower.step_run not in state.fences:
            state.fences[follower.step_run] = follower.fence
            state.ready.append(follower)
        if asked.next is None or not state.answers_next:
            return 200, b'{"accepted": true}'
        state.asked_next.append((asked.agent, asked.next))
        began = [lease for one in asked.began if state.wants_promised and (lease := state.begun(one))]
        leases = state.give(asked.next.slots_free + state.gives_too_many)
        promises = [
            Promise(one.step_run, state.promised[one.step_run])
            for one in (*began, *leases)
            if one.step_run in state.promised
        ]
        if not state.names_began:
            began, leases = [], (*began, *leases)
        answer = ResultAnswer(True, leases, tuple(held_by(one) for one in began), tuple(promises))
        return 200, encode(RESULT_ANSWER, answer)

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
