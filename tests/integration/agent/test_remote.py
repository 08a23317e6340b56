"""An agent on another machine: it fetches commits through its server, says what it is, and leaves when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.integration.agent.server import Handler
from tests.integration.agent.world import World, until

from tidegate.agent.remote import Remotes
from tidegate.agent.this_platform import this_platform
from tidegate.agent.wire import LEASES, RENEW_ANSWER, decode
from tidegate.model.lease import StepOutcome

RECORDED = Path(__file__).parent / "recorded"
SOURCE = "server:/api/v1/git/shop.git"
TOKEN = "agent-token"


class GitHandler(Handler):
    """As the API does, commits for git clients included; the first requests of git are answered as `answers` says."""

    answers: ClassVar[list[int]] = []
    elsewhere = ""
    mirror = ""
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        if not self.path.startswith("/api/v1/git/"):
            super().do_GET()
            return
        self.asked.append(self.headers["Authorization"])
        if self._refused():
            return
        assert parse_qs(urlsplit(self.path).query) == {"service": ["git-upload-pack"]}
        self._serve("--advertise-refs", kind="advertisement")

    def do_POST(self) -> None:
        if not self.path.startswith("/api/v1/git/"):
            super().do_POST()
        elif not self._refused():
            self._serve(given=self.rfile.read(int(self.headers["Content-Length"])), kind="result")

    def _refused(self) -> bool:
        status = self.answers.pop(0) if self.answers else 200
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status = 401
        if status == 0:
            self.close_connection = True
        elif status != 200:
            self.send_response(status)
            self.send_header("Location", self.elsewhere)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return status != 200

    def _serve(self, *options: str, kind: str, given: bytes = b"") -> None:
        command = ["git", "upload-pack", "--stateless-rpc", *options, self.mirror]
        env = {**os.environ, "GIT_PROTOCOL": "version=2"}
        made = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, env=env).stdout
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        self.send_header("Content-Length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)


@pytest.fixture
def far(world: World) -> World:
    """A world whose server gives commits as well; its mirror is where the agent's steps cannot see it."""
    world.server.down()
    own: dict[str, Any] = {"answers": [], "asked": [], "mirror": str(world.source)}
    world.server.handler = type("OwnGitHandler", (GitHandler,), own)
    world.server.up()
    return world


@pytest.fixture
def other() -> Iterator[list[str]]:
    """Another server, and what was asked of it; the first entry is its address."""
    asked: list[str] = []

    class _Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Authorization']}")
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Noting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    asked.append(f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def _handler(world: World) -> type[GitHandler]:
    assert world.server.handler is not None
    assert issubclass(world.server.handler, GitHandler)
    return world.server.handler


def test_commits_come_through_the_server(far: World) -> None:
    far.start_agent()
    report = far.perform(
        "git rev-parse HEAD; cat hello.txt; git config --get-regexp '^http' || echo none", source=SOURCE
    )
    assert report.outcome is StepOutcome.SUCCEEDED, report.detail
    assert far.server.lines("STEP1") == [far.commit, "hello", "none"]
    assert set(_handler(far).asked) == {f"Bearer {TOKEN}"}


def test_git_gets_the_token_where_no_process_list_and_no_file_shows_it(
    far: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    seen = tmp_path / "seen"
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (programs / "git").write_text(
        f'#!/bin/sh\n[ $(id -u) != {os.getuid()} ] || echo "$@" >> {seen}\nexec {real} "$@"\n'
    )
    (programs / "git").chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    far.start_agent()
    assert far.perform("true", source=SOURCE).outcome is StepOutcome.SUCCEEDED
    assert "fetch" in seen.read_text()
    assert TOKEN not in seen.read_text()
    until(lambda: not list((far.data / "agent" / "attempts").iterdir()))
    kept = [file for file in (far.data / "agent").rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert kept == []


def test_a_redirection_is_not_followed(far: World, other: list[str]) -> None:
    handler = _handler(far)
    handler.answers[:] = [302] * 3
    handler.elsewhere = f"{other[0]}/api/v1/git/shop.git/info/refs?service=git-upload-pack"
    far.start_agent()
    report = far.perform("true", source=SOURCE)
    assert report.outcome is StepOutcome.FAILED
    assert "could not be checked out" in report.detail
    assert TOKEN not in report.detail
    assert other[1:] == []


@pytest.mark.parametrize("trouble", [503, 502, 0], ids=["busy", "proxy", "cut off"])
def test_a_server_that_cannot_give_commits_yet_is_waited_for(far: World, trouble: int) -> None:
    _handler(far).answers[:] = [trouble] * 5
    far.start_agent()
    assert far.perform("true", source=SOURCE).outcome is StepOutcome.SUCCEEDED


def test_a_commit_that_the_server_does_not_have_is_said(far: World) -> None:
    _handler(far).answers[:] = [404] * 9
    far.start_agent()
    report = far.perform("true", source=SOURCE)
    assert report.outcome is StepOutcome.FAILED
    assert "not found" in report.detail


@pytest.mark.parametrize(
    "path", ["/../x.git", "//evil.example/x.git", "/a/../../x", "@evil.example/", "", "/x y", "/-x/.git"]
)
def test_a_source_is_a_path_on_the_server_and_nothing_else(path: str) -> None:
    remotes = Remotes("http://127.0.0.1:8470", lambda: TOKEN)
    with pytest.raises(ValueError, match="not a path of a repository"):
        remotes.of(f"server:{path}")


def test_only_the_servers_own_repository_gets_the_token() -> None:
    remotes = Remotes("https://tidegate.example/ci/", lambda: TOKEN)
    for source in ("/data/git/shop.git", "https://github.com/a/b", "ssh://git@host/x"):
        assert remotes.of(source).env == {}
        assert remotes.of(source).url == source
    remote = remotes.of(SOURCE)
    assert remote.url == "https://tidegate.example/ci/api/v1/git/shop.git"
    assert remote.env["GIT_CONFIG_KEY_0"] == f"http.{remote.url}.extraHeader"
    assert remote.env["GIT_CONFIG_VALUE_0"] == f"Authorization: Bearer {TOKEN}"
    assert TOKEN not in repr(remote) + repr(remotes)


def test_an_agent_says_what_it_is_and_its_next_life_is_the_same(world: World) -> None:
    world.labels = ("gpu",)
    world.start_agent()
    world.server.until(lambda server: server.asked)
    world.kill_agent()
    count = len(world.server.asked)
    world.start_agent()
    world.server.until(lambda server: len(server.asked) > count)
    first, again = world.server.asked[0], world.server.asked[-1]
    assert (first.labels, first.slots, first.version) == (("gpu",), 4, version("tidegate"))
    assert first.platform == this_platform()
    assert first.instance
    assert again.instance == first.instance


def test_an_agent_that_is_told_to_leave_performs_what_it_has_and_takes_no_more(world: World) -> None:
    world.slots = 1
    agent = world.start_agent()
    world.server.offer(world.lease("until test -f /tmp/tga-go; do sleep 0.05; done".replace("/tmp/tga-go", _go(world))))
    world.server.until(lambda server: server.given)
    world.server.offer(world.lease("true", "STEP2"))
    agent.send_signal(signal.SIGQUIT)
    world.server.until(lambda server: server.asked[-1].draining)
    assert agent.poll() is None
    Path(_go(world)).touch()
    assert world.server.result("STEP1").outcome is StepOutcome.SUCCEEDED
    assert agent.wait(20) == 0
    assert [lease.step_run for lease in world.server.ready] == ["STEP2"]
    world.start_agent()
    assert world.server.result("STEP2").outcome is StepOutcome.SUCCEEDED
    assert not world.server.asked[-1].draining


def test_an_idle_agent_that_is_told_to_leave_ends(world: World) -> None:
    agent = world.start_agent()
    world.server.until(lambda server: server.asked)
    agent.send_signal(signal.SIGQUIT)
    assert agent.wait(20) == 0


def test_an_agent_whose_version_is_refused_says_so_once_and_goes_on_with_what_it_has(world: World) -> None:
    world.start_agent()
    world.server.offer(world.lease(f"until test -f {_go(world)}; do sleep 0.05; done"))
    world.server.until(lambda server: server.given)
    world.server.refusal = {"detail": "this agent is Tidegate 9.9", "remedy": "install Tidegate 0.1"}
    until(lambda: "gives this agent no work" in world.said())
    Path(_go(world)).touch()
    assert world.server.result("STEP1").outcome is StepOutcome.SUCCEEDED
    assert world.said().count("gives this agent no work") == 1
    assert "409: this agent is Tidegate 9.9; install Tidegate 0.1" in world.said()


def test_answers_of_a_newer_server_are_understood() -> None:
    (lease,) = decode(LEASES, (RECORDED / "leases-of-a-server-one-minor-newer.json").read_bytes())
    assert lease.step.run == "make test"
    assert lease.setup is not None and lease.setup.run == "make deps"
    assert lease.outputs[0].size == 3
    renewal = decode(RENEW_ANSWER, (RECORDED / "renewal-of-a-server-one-minor-newer.json").read_bytes())
    assert renewal.refused == ("STEP",)


def _go(world: World) -> str:
    return str(world.data / "go")
