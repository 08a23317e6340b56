"""The service of the acceptance stories: behaves as `behaviour.json` beside it says. Standard library only."""

import base64
import hashlib
import json
import math
import os
import pathlib
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR = json.loads((pathlib.Path(__file__).parent / "behaviour.json").read_text())
STARTED = time.monotonic()
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(BaseHTTPRequestHandler):
    """GET / and /slow, /healthz, and a WebSocket that echoes at /ws."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer as the behaviour says."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._echo()
            return
        status = 200
        if self.path == "/healthz":
            status = 503 if BEHAVIOUR.get("never_healthy") else 200
        else:
            time.sleep(2.0 if self.path == "/slow" else _delay())
            status = 500 if random.random() < _share_of_failures() else 200
        content = json.dumps({"version": BEHAVIOUR["version"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _echo(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + MAGIC
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == 8:
                self.wfile.write(bytes([0x88, len(payload)]) + payload)
                return
            self.wfile.write(bytes([0x80 | opcode, len(payload)]) + payload)

    def _frame(self) -> "tuple[int, bytes] | None":
        """One masked frame of at most 125 bytes (RFC 6455, section 5.2)."""
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        mask = self.rfile.read(4)
        payload = self.rfile.read(head[1] & 0x7F)
        return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _delay() -> float:
    """How long a request takes: always the same, or log-normal with a median of so many seconds."""
    median: float = BEHAVIOUR.get("median", 0.0)
    always: float = BEHAVIOUR.get("delay", 0.0)
    return random.lognormvariate(math.log(median), 0.5) if median else always


def _share_of_failures() -> float:
    """Growing with its age where it leaks; and much larger while the file is there that tells of a common incident."""
    always: float = BEHAVIOUR.get("fails", 0.0)
    leaked: float = BEHAVIOUR.get("leaks_a_minute", 0.0) * (time.monotonic() - STARTED) / 60
    common = 0.2 if os.path.exists(BEHAVIOUR.get("incident", "")) else 0.0
    return always + leaked + common


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    """Serve on $PORT, or as the behaviour says."""
    port = int(os.environ["PORT"])
    if BEHAVIOUR.get("other_port"):
        port = 0
    if "dies_after" in BEHAVIOUR:
        threading.Timer(BEHAVIOUR["dies_after"], lambda: os._exit(3)).start()
    with Server(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
