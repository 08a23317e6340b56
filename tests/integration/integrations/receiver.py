"""A service to which messages are sent: it keeps them, refuses them, or does not answer."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT_SECONDS = 30.0


@dataclass
class Receiver:
    """Listens on loopback. `status` is what it answers, once `answers` is set."""

    port: int = 0
    status: int = 200
    answers: threading.Event = field(default_factory=threading.Event)
    taken: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def url(self, name: str = "hook", secret: str = "pa55w0rd") -> str:
        """An address of it that holds secrets, as Apprise writes it."""
        return f"json://ada:{secret}@127.0.0.1:{self.port}/{name}"

    def next(self) -> dict[str, Any]:
        """The next message that it took."""
        return self.taken.get(timeout=LIMIT_SECONDS)

    def has_more(self) -> bool:
        """Whether it took another one."""
        return not self.taken.empty()


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    """One that takes everything at once."""
    receiver = Receiver()
    receiver.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            receiver.answers.wait(LIMIT_SECONDS)
            status = receiver.status
            if status == 200:
                receiver.taken.put({**body, "path": self.path})
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
