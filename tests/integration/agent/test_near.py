"""Short requests to a server on the agent's own machine."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import ClassVar

import pytest

from tidegate.agent.near import NearServer
from tidegate.agent.server_link import Refused, ServerAway, ServerLink

LIMIT_SECONDS = 60.0


class Echo(BaseHTTPRequestHandler):
    """Answers with the path and the body; `hangs_up` closes each connection after the answer without saying so."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[tuple[str, int]]] = set()
    hangs_up: ClassVar[Event] = Event()
    status: ClassVar[int] = 200

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.connections.add(self.client_address)
        body = self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.hangs_up.is_set()


@contextmanager
def a_server(handler: type[Echo]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def handler() -> type[Echo]:
    return type("Handler", (Echo,), {"connections": set(), "hangs_up": Event()})


def test_requests_one_after_another_go_over_one_connection(handler: type[Echo]) -> None:
    with a_server(handler) as url:
        near = NearServer(f"{url}/below", 60.0)
        assert [near.post(f"/{at}", b"x", {}, LIMIT_SECONDS) for at in "ab"] == [
            (200, b"/below/a x"),
            (200, b"/below/b x"),
        ]
        assert len(handler.connections) == 1
        near.close()


def test_a_connection_that_the_server_has_closed_is_not_used_again(handler: type[Echo]) -> None:
    handler.hangs_up.set()
    with a_server(handler) as url:
        near = NearServer(url, 60.0)
        for at in range(20):
            assert near.post("/", b"%d" % at, {}, LIMIT_SECONDS)[0] == 200
            ((kept, _),) = near._free
            assert select.select([kept.sock], [], [], LIMIT_SECONDS)[0], "the server has not closed it"
        assert len(handler.connections) == 20


def test_a_connection_that_is_idle_for_long_is_not_used_again(handler: type[Echo]) -> None:
    with a_server(handler) as url:
        near = NearServer(url, 0.0)
        near.post("/", b"", {}, LIMIT_SECONDS)
        near.post("/", b"", {}, LIMIT_SECONDS)
        assert len(handler.connections) == 2


@pytest.mark.parametrize(("status", "error"), [(500, ServerAway), (409, Refused), (401, ServerAway)])
def test_what_the_server_refuses_is_told_as_ever(handler: type[Echo], status: int, error: type[Exception]) -> None:
    handler.status = status
    with a_server(handler) as url:
        link = ServerLink(url, lambda: "token", "one")
        with pytest.raises(error, match=f"answered {status}"):
            link.renew(())
        link.close()


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(ServerAway, match="Connection refused"):
        ServerLink("http://127.0.0.1:9", lambda: "token", "one").renew(())
