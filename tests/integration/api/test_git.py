"""The mirrors over HTTP, with the real git client: agents read them, and nobody does anything else there."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.processes import is_running

from tidegate.api.git import REQUEST_BYTES
from tidegate.integrations.upload_pack import AT_ONCE, SERVICE_LINE, Transfers
from tidegate.model.ids import ServiceName

from .world import ADMIN, AGENT, World, eventually

PACK = {"content-type": "application/x-git-upload-pack-request"}
FLUSH = b"0000"
LIST = b"0014command=ls-refs\n" + FLUSH


@dataclass
class Mirrors:
    """Where the server's mirrors are."""

    folder: Path

    def source_of(self, service: ServiceName) -> str:
        return str(self.folder / f"{service}.git")


@dataclass
class Repository:
    """A mirror of the service `shop`, and git as a client."""

    world: World
    home: Path
    mirror: Path
    commits: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.world.address}/api/v1/git/shop.git"

    def git(self, *arguments: str, token: str | None = AGENT, **env: str) -> subprocess.CompletedProcess[str]:
        """A git command of somebody with that token."""
        given = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **env}
        given |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        options = [] if token is None else ["-c", f"http.extraHeader=Authorization: Bearer {token}"]
        return subprocess.run(["git", *options, *arguments], env=given, cwd=self.home, capture_output=True, text=True)


@pytest.fixture
def repository(world: World, tmp_path: Path) -> Repository:
    """A mirror with two commits, of which one is on no branch any more, and another mirror of no known service."""
    home = tmp_path / "home"
    home.mkdir()
    mirrors = Mirrors(tmp_path / "git")
    mirrors.folder.mkdir()
    found = Repository(world, home, mirrors.folder / "shop.git")
    object.__setattr__(world.engine.parts, "sources", mirrors)
    for name in ("shop.git", "other.git"):
        assert (
            found.git("init", "--quiet", "--bare", "-b", "main", str(mirrors.folder / name), token=None).returncode == 0
        )
    work = home / "work"
    found.git("init", "--quiet", "-b", "main", str(work), token=None)
    for number in range(2):
        (work / "file.bin").write_bytes(os.urandom(600_000))
        found.git("-C", str(work), "add", ".", token=None)
        found.git("-C", str(work), "commit", "--quiet", "--amend" if number else "--allow-empty", "-m", str(number))
        found.commits.append(found.git("-C", str(work), "rev-parse", "HEAD").stdout.strip())
        found.git("-C", str(work), "push", "--quiet", "--force", str(found.mirror), "main")
    world.add_shop()
    return found


@pytest.mark.parametrize("version", ["0", "1", "2"])
@pytest.mark.parametrize("which", [0, 1], ids=["on no branch", "newest"])
def test_an_agent_fetches_the_commit_that_it_builds(repository: Repository, version: str, which: int) -> None:
    commit = repository.commits[which]
    repository.git("init", "--quiet", "into")
    options = ("-c", f"protocol.version={version}", "-C", "into")
    done = repository.git(*options, "fetch", "--quiet", "--depth=1", "--", repository.url, commit)
    assert done.returncode == 0, done.stderr
    assert repository.git("-C", "into", "cat-file", "-t", commit).stdout.strip() == "commit"
    assert repository.git("-C", "into", "fsck").returncode == 0


def test_a_token_of_an_agents_own_reads_and_stops_reading_when_the_agent_is_removed(repository: Repository) -> None:
    token = str(repository.world.post("/agents/far/token")["token"])
    assert repository.git("ls-remote", repository.url, token=token).returncode == 0
    with repository.world.client() as admin:
        assert admin.delete("/api/v1/agents/far").is_success
    done = repository.git("ls-remote", repository.url, token=token)
    assert done.returncode != 0
    assert "401" in done.stderr or "could not read Username" in done.stderr


@pytest.mark.parametrize("token", [None, "wrong", ADMIN], ids=["none", "wrong", "a person's"])
def test_nobody_else_reads(repository: Repository, token: str | None) -> None:
    done = repository.git("clone", "--quiet", repository.url, "copy", token=token)
    assert done.returncode != 0
    assert not (repository.home / "copy").exists()
    listed = repository.git("-c", "protocol.version=0", "ls-remote", repository.url, token=token)
    assert listed.returncode != 0
    assert listed.stdout == ""


def test_nothing_can_be_pushed(repository: Repository) -> None:
    repository.git("clone", "--quiet", repository.url, "copy")
    repository.git("-C", "copy", "commit", "--quiet", "--allow-empty", "-m", "mine")
    done = repository.git("-C", "copy", "push", repository.url, "HEAD:main")
    assert done.returncode != 0
    assert "403" in done.stderr
    assert repository.git(f"--git-dir={repository.mirror}", "rev-parse", "main").stdout.strip() == repository.commits[1]
    with repository.world.client(AGENT) as agent:
        answer = agent.get("/api/v1/git/shop.git/info/refs?service=git-receive-pack")
        assert answer.status_code == 403
        assert "only read" in answer.json()["detail"]
        assert agent.post("/api/v1/git/shop.git/git-receive-pack").status_code == 404


def test_only_services_that_are_known_are_served(repository: Repository) -> None:
    with repository.world.client(AGENT) as agent:
        for name in ("other", "nosuch"):
            assert agent.get(f"/api/v1/git/{name}.git/info/refs?service=git-upload-pack").status_code == 404, name
            answer = agent.post(f"/api/v1/git/{name}.git/git-upload-pack", headers=PACK, content=LIST)
            assert answer.status_code == 404, name
        with repository.world.client() as admin:
            assert admin.delete("/api/v1/services/shop").is_success
        assert agent.get("/api/v1/git/shop.git/info/refs?service=git-upload-pack").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../shop.git/info/refs",
        "..%2Fshop.git/info/refs",
        "%2e%2e/git/shop.git/info/refs",
        "shop.git/../other.git/info/refs",
        "other%00.git/info/refs",
        "shop%2F..%2Fother.git/info/refs",
        "--upload-pack=touch.git/info/refs",
        "-x.git/info/refs",
        "shop.git/HEAD",
        "shop.git/config",
        "shop.git/objects/info/packs",
        "shop.git/git-upload-archive",
        "SHOP.git/info/refs",
        "shop/info/refs",
    ],
)
def test_paths_lead_nowhere_else(repository: Repository, path: str) -> None:
    # a client that sends the path as it is: others make it shorter first
    client = http.client.HTTPConnection(repository.world.address.removeprefix("http://"))
    with contextlib.closing(client):
        client.request(
            "GET", f"/api/v1/git/{path}?service=git-upload-pack", headers={"Authorization": f"Bearer {AGENT}"}
        )
        answer = client.getresponse()
        assert answer.status in (404, 405, 422), path
        assert repository.commits[1] not in answer.read().decode()


@pytest.mark.parametrize("service", ["git-upload-archive", "git-receive-pack", "upload-pack", "", "git-upload-pack;id"])
def test_only_upload_pack_is_spoken(repository: Repository, service: str) -> None:
    with repository.world.client(AGENT) as agent:
        answer = agent.get("/api/v1/git/shop.git/info/refs", params={"service": service})
        assert answer.status_code == 403
        assert agent.get("/api/v1/git/shop.git/info/refs").status_code == 422


def test_the_protocol_is_the_clients_as_far_as_it_is_known(repository: Repository) -> None:
    with repository.world.client(AGENT) as agent:
        path = "/api/v1/git/shop.git/info/refs?service=git-upload-pack"
        newest = agent.get(path, headers={"Git-Protocol": "version=2"})
        assert newest.content.startswith(b"000eversion 2\n")
        assert newest.headers["content-type"] == "application/x-git-upload-pack-advertisement"
        assert newest.headers["cache-control"] == "no-cache"
        for told in ("version=9", "$(id)", "version=2;id", ""):
            assert agent.get(path, headers={"Git-Protocol": told}).content.startswith(SERVICE_LINE), told


def test_a_compressed_request_is_unpacked_and_a_bomb_is_not(repository: Repository) -> None:
    path = "/api/v1/git/shop.git/git-upload-pack"
    headers = {**PACK, "Git-Protocol": "version=2", "content-encoding": "gzip"}
    with repository.world.client(AGENT) as agent:
        answer = agent.post(path, headers=headers, content=gzip.compress(LIST))
        assert repository.commits[1] in answer.text
        bomb = gzip.compress(b"0" * (REQUEST_BYTES + 1))
        assert agent.post(path, headers=headers, content=bomb).status_code == 413
        assert agent.post(path, headers=headers, content=b"no gzip").status_code == 400
        assert agent.post(path, headers={**headers, "content-encoding": "br"}, content=b"x").status_code == 415
        assert agent.post(path, content=LIST, headers={"content-type": "text/plain"}).status_code == 415
        huge = agent.post(path, headers=PACK, content=b"0" * (2 * 1024 * 1024))
        assert huge.status_code == 413


def test_so_many_at_a_time_and_no_more(repository: Repository) -> None:
    transfers: Transfers = repository.world.app.state.git_transfers
    transfers.patience = 0.05
    transfers.slots = asyncio.Semaphore(0)
    with repository.world.client(AGENT) as agent:
        answer = agent.get("/api/v1/git/shop.git/info/refs?service=git-upload-pack")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"


@pytest.fixture
def slow_git(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A git that begins to answer and never ends; which of them run."""
    programs = tmp_path / "bin"
    programs.mkdir()
    mark = str(tmp_path / "runs")
    (programs / "git").write_text(f"#!/bin/sh\nprintf 0008abcd\nsleep 1000 & echo $$ >> {mark}; wait\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def _running() -> list[str]:
        pids = Path(mark).read_text().split() if Path(mark).exists() else []
        return [pid for pid in pids if is_running(int(pid))]

    return _running


def test_a_transfer_ends_when_its_client_is_gone(repository: Repository, slow_git: Callable[[], list[str]]) -> None:
    transfers: Transfers = repository.world.app.state.git_transfers
    path = "/api/v1/git/shop.git/info/refs?service=git-upload-pack"
    with repository.world.client(AGENT) as agent, agent.stream("GET", path) as answer:
        assert answer.status_code == 200
        eventually(slow_git, "git")
    eventually(lambda: not slow_git(), "the end of git")
    eventually(lambda: transfers.slots._value == AT_ONCE, "its place given back")


def test_a_transfer_that_takes_too_long_is_cut_off(repository: Repository, slow_git: Callable[[], list[str]]) -> None:
    transfers: Transfers = repository.world.app.state.git_transfers
    transfers.seconds = 2.0
    path = "/api/v1/git/shop.git/git-upload-pack"
    with repository.world.client(AGENT) as agent:
        assert agent.post(path, headers=PACK, content=LIST).content == b"0008abcd"
    eventually(lambda: not slow_git(), "the end of git")
    assert transfers.slots._value == AT_ONCE
