"""The same commit, built anew on two agents that have little in common, gives the same artifacts."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import sample_services
from .fleet import RemoteAgent, ended_afterwards
from .harness import World, a_world, wait_for

PROBE = """\
service: probe
build:
  steps:
    - name: with inputs
      run: |
        sh look.sh > seen.txt
      inputs: [look.sh, secret]
      artifacts: {with-inputs: seen.txt}
    - name: without inputs
      run: sh look.sh > seen.txt
      artifacts: {without-inputs: seen.txt}
"""

LOOK = """\
env | grep -vE '^(HOME|TMPDIR|PWD|PATH|TIDEGATE_(ARTIFACTS|MARK|RUN))=' | sort
umask
ulimit -c
date -d @0
printf '%s\\n' b A a B | sort
mkdir made && touch made/file
find . -path ./.git -prune -o -printf '%M %p\\n' | sort
"""
"""What a step can see of what is around it, but for what has to be another on every agent."""

OF_TREES = (("shop", "dist/shop.pyz", "shop"), ("greeter", "image.tar", "image"))
"""What a person's own build makes as well: service, file and artifact."""

Digests = Mapping[str, Mapping[str, str]]
"""Service → artifact → digest."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """In what an agent is started; its folder has its name."""

    name: str
    env: Mapping[str, str]
    umask: int


HERE = Surroundings("a", {"TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "USER": "ada"}, 0o022)
THERE = Surroundings(
    "another one. far away",
    {
        "TZ": "Pacific/Kiritimati",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "tr_TR.UTF-8",
        "LANGUAGE": "de",
        "USER": "somebody",
        "SOURCE_DATE_EPOCH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "7",
        "ENV": "/etc/profile",
    },
    0o077,
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the repositories are, which any user may read."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-repeat-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_two_agents_with_little_in_common_build_the_same(place: Path) -> None:
    repositories = [
        sample_services.shop(place / "shop"),
        sample_services.two_step_packaging(place / "greeter"),
        _probe(place / "probe"),
    ]
    here, there = (_built(place / name, one, repositories) for name, one in (("one", HERE), ("two", THERE)))
    assert here == there
    assert {service: set(artifacts) for service, artifacts in here.items()} == {
        "shop": {"shop"},
        "greeter": {"package", "image"},
        "probe": {"with-inputs", "without-inputs"},
    }
    for service, file, artifact in OF_TREES:
        assert _built_in_tree(place / service, file) == there[service][artifact], f"{service} by tidegate build"


def _built(folder: Path, around: Surroundings, repositories: list[Path]) -> Digests:
    """What a server of its own, which has nothing in its cache, has built by one agent."""
    folder.mkdir()
    with a_world(folder) as world:
        (local,) = wait_for(lambda: world.json("agents", "list") or None, "the local agent")
        assert world.run("agents", "drain", local["name"]).returncode == 0
        agent = RemoteAgent(world, around.name, 2, env=around.env, umask=around.umask)
        with ended_afterwards([agent]):
            agent.start()
            for repository in repositories:
                added = world.run("service", "add", str(repository))
                assert added.returncode == 0, added.stderr
                world.api("POST", f"/api/v1/services/{repository.name}/pause", json={"reason": "only its build"})
            return {one.name: _digests(world, one.name) for one in repositories}


def _digests(world: World, service: str) -> Mapping[str, str]:
    """The artifacts of the service's only release, once it is built."""

    def _release() -> dict[str, str] | None:
        (run,) = world.api("GET", "/api/v1/runs", params={"service": service})["items"]
        assert run["status"] not in ("failed", "cancelled"), world.run("logs", run["id"]).stdout
        found = world.api("GET", "/api/v1/releases", params={"service": service})
        return {one["name"]: one["digest"] for one in found[0]["artifacts"]} if found else None

    return wait_for(_release, f"a release of {service}")


def _built_in_tree(folder: Path, file: str) -> str:
    """The digest of what `tidegate build` makes in the repository itself, for somebody far away."""
    env = {**os.environ, **THERE.env, "TIDEGATE_CACHE": str(folder.with_suffix(".cache"))}
    command = [sys.executable, "-m", "tidegate.cli.main", "build"]
    done = subprocess.run(command, cwd=folder, env=env, umask=THERE.umask, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return f"sha256:{hashlib.sha256((folder / file).read_bytes()).hexdigest()}"


def _probe(folder: Path) -> Path:
    """A service that makes artifacts of what it sees around it."""
    folder.mkdir()
    (folder / "tidegate.yaml").write_text(PROBE)
    (folder / "look.sh").write_text(LOOK)
    (folder / "look.sh").chmod(0o700)
    (folder / "secret").mkdir(mode=0o700)
    (folder / "secret" / "plain").touch(mode=0o600)
    sample_services.commit(folder, "Look around")
    return folder
