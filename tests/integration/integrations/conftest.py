"""Real git repositories, and a real host that serves one over HTTP to whoever knows the token."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TOKEN = "s3cr3t-t0ken"


@dataclass(frozen=True)
class Repository:
    """A repository in which a person works."""

    path: Path

    def git(self, *arguments: str) -> str:
        """Run git as that person and give what it says."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada Ångström",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada Ångström",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        done = subprocess.run(["git", "-C", self.path, *arguments], env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, subject: str, **files: str) -> str:
        """Commit these files (`name_ext` is written `name.ext`) and give the commit."""
        for name, text in files.items():
            (self.path / name.replace("_", ".")).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    path = tmp_path / "shop"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "--quiet", "--initial-branch=trunk")
    return repository


class _Host(BaseHTTPRequestHandler):
    """Serves the repositories below `root` by git's own CGI program, to those who bring the token."""

    root: Path

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self, body: bytes) -> None:
        wanted = "Basic " + base64.b64encode(f"robot:{TOKEN}".encode()).decode()
        if self.headers["Authorization"] != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        url = urlsplit(self.path)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
        }
        answer = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def a_host(root: Path) -> Iterator[str]:
    """The address of a host that serves the repositories below `root`."""
    handler = type("Host", (_Host,), {"root": root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """The address of a host that serves the repositories of this test."""
    with a_host(tmp_path) as address:
        yield address


@pytest.fixture
def as_root() -> None:
    """What needs root is skipped elsewhere, and fails where nothing may be skipped."""
    if os.geteuid() == 0:
        return
    if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
        pytest.fail("this test needs root")
    pytest.skip("this test needs root")
