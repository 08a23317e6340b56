"""A web server on loopback that answers as it is told; and questions to ask."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tidegate.metrics.question import Question
from tidegate.model.ids import DeploymentId, EnvironmentName, ServiceName
from tidegate.model.metric import MetricRule, SourceName
from tidegate.model.recording import MetricKind

END = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""The clock of tests of the engine stands there, too: a Prometheus takes nothing that is much older than the newest."""


def question(rule: MetricRule, deployment: str = "production-01a-2b", **changed: Any) -> Question:
    """What the metric shows of the deployment in the minute before END."""
    asked: dict[str, Any] = {
        "service": ServiceName("shop"),
        "environment": EnvironmentName("production"),
        "begin": END - timedelta(minutes=1),
        "end": END,
    }
    return Question(rule, deployment=DeploymentId(deployment), **(asked | changed))


def metric(kind: MetricKind = MetricKind.RATE, **keys: Any) -> MetricRule:
    """A metric from Prometheus, unless the keys say otherwise."""
    return MetricRule("orders", keys.pop("source", SourceName.PROMETHEUS), kind=kind, **keys)


@dataclass
class Answering:
    """What it answers (status, headers, body), and what it was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip: bool = False
    """It sends a byte now and then, and never comes to an end."""

    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def says(self, data: Any, **more: Any) -> None:
        """Answer as Prometheus does."""
        self.body = json.dumps({"status": "success", "data": data, **more}).encode()

    def vector(self, *series: Any, **more: Any) -> None:
        """Answer with series: each its labels and its value."""
        result = [{"metric": labels, "value": [END.timestamp(), value]} for labels, value in series]
        self.says({"resultType": "vector", "result": result}, **more)


@contextmanager
def answering(certificate: Path | None = None) -> Iterator[Answering]:
    """Such a server, for one test; over TLS with a certificate (and its key in the same file)."""
    told = Answering()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: told))
    told.url = f"http://127.0.0.1:{server.server_port}"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        told.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.stopped.set()
        server.shutdown()
        server.server_close()


def own_certificate(file: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody else has signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prometheus of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return file


def _handler(told_now: Callable[[], Answering]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = told_now()
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            told.asked.append((self.path, form, dict(self.headers)))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(told.body)
                while told.drip and not told.stopped.wait(0.02):
                    self.wfile.write(b" ")
            except OSError:
                pass

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
