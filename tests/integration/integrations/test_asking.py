"""Asking an HTTP address: little is read of it, and the server's own machine is asked nothing unless it is allowed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tidegate.integrations.asking import LARGEST_ANSWER, Heard, HttpOutside, NotTaken

HERE = ("127.0.0.1", "localhost")
BRIEF = timedelta(seconds=0.5)
LIMIT_SECONDS = 20.0


class Answerer(BaseHTTPRequestHandler):
    """Answers by the path, and notes what it was asked."""

    asked: list[tuple[str, str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Host"], body))
        status, sent = {
            "/yes?x=1": (200, b'{"answer": "approved"}'),
            "/moved": (302, b""),
            "/large": (200, b"x" * (LARGEST_ANSWER + 1)),
        }.get(self.path, (404, b"?"))
        self.send_response(status)
        self.send_header("Location", "/yes?x=1")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(sent)

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def answerer() -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    """The address of somebody who answers, and what it was asked."""
    asked: list[tuple[str, str | None, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (Answerer,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def raw(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server of which a function says what it sends."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            taken, _ = listening.accept()
            with taken, contextlib.suppress(OSError):
                taken.recv(65536)
                talk(taken)
                over.wait(LIMIT_SECONDS)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.close()
        thread.join(LIMIT_SECONDS)


def test_it_asks_by_post_and_hears_the_answer(answerer: tuple[str, list[tuple[str, str | None, bytes]]]) -> None:
    address, asked = answerer
    heard = HttpOutside(HERE).ask(f"http://{address}/yes?x=1", b"{}", {"Tidegate-Signature": "t=1"})
    assert heard == Heard(200, b'{"answer": "approved"}')
    assert asked[-1] == ("/yes?x=1", address, b"{}")


def test_a_redirect_is_not_followed(answerer: tuple[str, list[tuple[str, str | None, bytes]]]) -> None:
    address, asked = answerer
    before = len(asked)
    assert HttpOutside(HERE).ask(f"http://{address}/moved", b"{}", {}).status == 302
    assert len(asked) == before + 1


def test_no_more_is_read_than_an_answer_needs(answerer: tuple[str, list[tuple[str, str | None, bytes]]]) -> None:
    with pytest.raises(NotTaken, match="longer than 64 KiB"):
        HttpOutside(HERE).ask(f"http://{answerer[0]}/large", b"{}", {})


def drip(taken: socket.socket) -> None:
    """A header that never ends, a byte at a time."""
    taken.sendall(b"HTTP/1.1 200 OK\r\n")
    pause = threading.Event()
    for _ in range(500):
        taken.sendall(b"x")
        pause.wait(0.05)


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (drip, "did not answer within 0.5 seconds"),
        (lambda taken: None, "did not answer within 0.5 seconds"),
        (lambda taken: taken.sendall(b"SSH-2.0-OpenSSH\r\n"), "no HTTP"),
        (lambda taken: taken.shutdown(socket.SHUT_RDWR), "no HTTP"),
    ],
)
def test_whoever_is_slow_or_speaks_no_http_is_left_soon(talk: Callable[[socket.socket], None], words: str) -> None:
    with raw(talk) as address, pytest.raises(NotTaken, match=words):
        HttpOutside(HERE, longest=BRIEF).ask(f"http://{address}/", b"{}", {})


def test_https_is_not_spoken_to_somebody_without_a_certificate() -> None:
    with raw(lambda taken: taken.sendall(b"hello there\r\n")) as address, pytest.raises(NotTaken):
        HttpOutside(HERE, longest=BRIEF).ask(f"https://{address}/", b"{}", {})


@pytest.mark.parametrize(
    ("hosts", "url", "words"),
    [
        ((), "http://127.0.0.1:1/", "its own machine"),
        ((), "http://[::1]:1/", "its own machine"),
        ((), "http://[::ffff:127.0.0.1]:1/", "its own machine"),
        ((), "http://0.0.0.0:1/", "no address of a service"),
        ((), "http://localhost:1/", "its own machine"),
        (("169.254.169.254",), "http://169.254.169.254/latest/meta-data", "no address of a service"),
        (("*.example.com",), "http://127.0.0.1:1/", "none of external.hosts"),
        (("*.example.com",), "http://example.com.evil.test/", "none of external.hosts"),
        (HERE, "ftp://127.0.0.1/", "no http"),
        (HERE, "http://user:word@127.0.0.1/", "no http"),
        (HERE, "http://127.0.0.1:1/", "Connection refused"),
        (HERE, "http://127.0.0.1:99999/", "port"),
    ],
)
def test_what_the_server_must_not_ask_it_does_not(hosts: tuple[str, ...], url: str, words: str) -> None:
    with pytest.raises(NotTaken, match=words):
        HttpOutside(hosts).ask(url, b"{}", {})


def test_a_name_that_leads_to_the_clouds_credentials_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(NotTaken, match="no address of a service"):
        HttpOutside(("tickets.example.com",)).ask("http://tickets.example.com/", b"{}", {})
