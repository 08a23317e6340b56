"""Instances of deployments to send traffic to, and the traffic."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from websockets.sync.server import ServerConnection, serve

from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.share import Share
from tidegate.routers.envoy_resources import MARK

SHOP = PlacementId("shop/production")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> list[int]:
    """As many ports that nobody listens on, all different."""
    with ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in found]


def routing(port: int, *routes: Route, placement: PlacementId = SHOP) -> Routing:
    return Routing(placement, port, routes)


class Instance:
    """A small service: `/` says its name, `/held` once it is released, `/for/2` after 2 s; `/fails` fails; `/headers`
    says what came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.holding = threading.Semaphore(0)
        self.release = threading.Event()
        instance = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version, sys_version = "sample", ""
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                instance.asked += 1
                if self.path == "/held":
                    instance.holding.release()
                    instance.release.wait(30)
                if self.path.startswith("/for/"):
                    instance.holding.release()
                    threading.Event().wait(float(self.path.removeprefix("/for/")))
                said = json.dumps(dict(self.headers.items())) if self.path == "/headers" else instance.name
                self.send_response(503 if self.path == "/fails" else 200)
                self.send_header("Content-Length", str(len(said)))
                self.send_header(MARK, "an imposter")
                self.end_headers()
                self.wfile.write(said.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = Endpoint("127.0.0.1", self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def is_holding(self) -> bool:
        """Wait until a request that takes long has arrived; False after 10 s."""
        return self.holding.acquire(timeout=10)

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def instances(*names: str) -> Iterator[list[Instance]]:
    """Running instances that answer with these names."""
    running = [Instance(name) for name in names]
    try:
        yield running
    finally:
        for one in running:
            one.stop()


def route(deployment: str, percent: float, *serving: Instance) -> Route:
    return Route(DeploymentId(deployment), Share.percent(percent), tuple(one.endpoint for one in serving))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got: `mark` is the deployment named in the header."""

    status: int
    mark: str | None
    body: str
    headers: dict[str, str]


def get(port: int, path: str = "/", headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        return _ask(connection, path, headers or {})
    finally:
        connection.close()


def get_many(port: int, count: int, path: str = "/") -> list[Answer]:
    """Requests one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        return [_ask(connection, path, {}) for _ in range(count)]
    finally:
        connection.close()


def marks(answers: Sequence[Answer]) -> Counter[str | None]:
    """How many answers each deployment gave."""
    return Counter(one.mark for one in answers)


def _ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Answer:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found.get(MARK), response.read().decode(), found)


@contextmanager
def in_background(port: int, path: str) -> Iterator[Future[Answer]]:
    """A request that is under way while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(get, port, path)


@dataclass(slots=True)
class Load:
    """What steady clients got so far."""

    clients: int
    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    connections: int = 0
    _begun: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Let the clients ask from now on."""
        self._begun.set()

    def ask_on(self, port: int, stop: threading.Event, pause_seconds: float) -> None:
        """Ask again and again, on one connection for as long as that is kept."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._begun.wait(10)
        while not stop.wait(pause_seconds):
            if connection.sock is None:
                self.connections += 1
            try:
                self.answers.append(_ask(connection, "/", {}))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


@contextmanager
def steady_load(port: int, until_told: bool = False) -> Iterator[Load]:
    """Four clients that ask about 150 times a second each while the block runs, or from `Load.begin` on."""
    load, stop = Load(clients=4), threading.Event()
    if not until_told:
        load.begin()
    threads = [threading.Thread(target=load.ask_on, args=(port, stop, 0.006)) for _ in range(load.clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        load.begin()
        for thread in threads:
            thread.join()


@contextmanager
def websocket_echo(name: str) -> Iterator[Endpoint]:
    """An instance that answers every message of a WebSocket with its name and the message."""

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(f"{name} {message!r}")

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Endpoint("127.0.0.1", server.socket.getsockname()[1])
        server.shutdown()
        thread.join()
