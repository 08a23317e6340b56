"""What a user does wrong, and what breaks: a clear message, the right exit code, nothing half done, nothing lost."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .harness import Version, World, a_world, wait_for


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as started:
        assert started.release(Version("first", {})) == "succeeded", started.log()
        yield started


def _serves_first(world: World) -> bool:
    return list(world.placement()["shares"].values()) == [1.0] and world.placement()["health"] == "healthy"


def _commits_of(mirror: Path) -> str:
    log = ["git", "-C", str(mirror), "log", "--all", "--format=%H"]
    return subprocess.run(log, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("service: [shop", "tidegate.yaml:"),
        ("service: shop\nbiuld: {}\n", 'did you mean "build"?'),
        ("service: shop\nbuild: {steps: [{name: 1, run: [x]}]}\n", "tidegate.yaml:2"),
        (
            "service: shop\nbuild: {steps: [{name: a, run: x, needs: [b]}, {name: b, run: x, needs: [a]}]}\n",
            "tidegate.yaml:",
        ),
        (
            "service: shop\nbuild: {steps: [{name: a, run: x}]}\nstages: [{name: s, environment: stagging}]\n",
            "staging",
        ),
    ],
    ids=["no YAML", "unknown key", "wrong type", "cycle", "unknown environment"],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(world: World, tmp_path: Path, text: str, said: str) -> None:
    repository = tmp_path / "wrong"
    repository.mkdir()
    (repository / "tidegate.yaml").write_text(text)
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=s", "-c", "user.email=s@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    done = world.run("service", "add", str(repository))
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [one["name"] for one in world.api("GET", "/api/v1/services")] == [world.service]


@pytest.mark.parametrize("what", ["missing", "empty", "no commit", "uncommitted"])
def test_a_repository_that_cannot_be_released_is_refused_with_the_remedy(
    world: World, tmp_path: Path, what: str
) -> None:
    repository = tmp_path / "bare"
    said = "there is no folder"
    if what != "missing":
        repository.mkdir()
        said = "not a git repository"
    if what in ("no commit", "uncommitted"):
        subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
        said = "tidegate init"
    if what == "uncommitted":
        commit = ["-c", "user.name=s", "-c", "user.email=s@x", "commit", "-qm", "x", "--allow-empty"]
        subprocess.run(["git", *commit], cwd=repository, check=True)
        (repository / "tidegate.yaml").write_text("service: shop\n")
        said = "git"
    done = world.run("service", "add", str(repository))
    assert done.returncode in (1, 2)
    assert said in done.stderr
    if what == "uncommitted":
        assert "add tidegate.yaml" in done.stderr
        assert "commit -m" in done.stderr


def test_another_repository_with_a_known_services_name_is_refused_and_leaves_that_service_alone(
    world: World, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "tidegate.yaml").write_text((world.repository / "tidegate.yaml").read_text())
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=s", "-c", "user.email=s@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=other, check=True)
    before = _commits_of(world.data / "git" / f"{world.service}.git")
    done = world.run("service", "add", str(other))
    assert done.returncode == 1
    assert f"there is a service '{world.service}' already, from {world.repository}" in done.stderr
    assert _commits_of(world.data / "git" / f"{world.service}.git") == before
    assert not list((world.data / "git").glob(".new-*"))


@pytest.mark.parametrize(
    ("name", "behaviour", "said"),
    [
        ("never healthy", {"never_healthy": True}, ("503",)),
        ("another port", {"other_port": True}, ("not on $PORT",)),
        # its crash loop and its failed requests are both reasons; whichever is seen first takes it back
        ("dies", {"dies_after": 1}, ("ended", "verification failed")),
    ],
)
def test_a_version_that_cannot_serve_is_taken_back_and_the_reason_is_said(
    world: World, name: str, behaviour: dict[str, object], said: tuple[str, ...]
) -> None:
    verify = "{soak: 6s, at_most: 1m, traffic: {path: /, rate: 20/s}}"
    status = world.release(Version(name, behaviour, verify=verify))
    assert status == "rolled_back", world.log()
    (latest, *_) = world.api("GET", "/api/v1/runs", params={"service": world.service})["items"]
    because = json.dumps(latest["because"])
    assert any(words in because for words in said), because
    wait_for(lambda: _serves_first(world), "the first version, healthy and alone")


def test_a_command_that_does_not_exist_fails_its_step_with_the_shells_words(world: World) -> None:
    run = world.run_of(world.commit(Version("no such command", {}, test="no-such-command")))
    assert world.ended(run) == "failed"
    logs = world.run("logs", run)
    assert "no-such-command" in logs.stdout
    assert _serves_first(world)


def test_a_second_server_on_the_same_data_folder_is_refused(world: World) -> None:
    done = world.run("server", "--data", str(world.data), "--port", "0")
    assert done.returncode == 1
    assert "another server runs" in done.stderr
    assert "tidegate down" in done.stderr


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "tidegate.cli.main", "server", "--data", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_an_envoy_that_does_not_run_is_named_before_anything_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "tidegate.cli.main", "server", "--data", str(data), "--envoy", "/bin/false"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "/bin/false" in done.stderr
    assert not data.exists()


def test_a_rollback_with_nothing_to_return_to_says_so_and_offers_to_stop(world: World) -> None:
    done = world.run("rollback", world.service, "--env", "staging")
    assert done.returncode == 3
    assert "nothing to return to" in done.stderr
    assert "--stop" in done.stderr
    assert _serves_first(world)


def test_an_instance_whose_reserved_port_was_taken_meanwhile_gets_another(world: World) -> None:
    go = world.folder / "go"
    run = world.run_of(world.commit(Version("port taken", {}, prepare=f"until [ -e {go} ]; do sleep 0.05; done")))

    def reserved() -> int | None:
        query = (
            "SELECT port FROM port JOIN deployment ON owner = deployment.id JOIN run USING (release) WHERE run.id = ?"
        )
        with closing(sqlite3.connect(world.data / "tidegate.sqlite3")) as database:
            found = database.execute(query, [run]).fetchone()
            return int(found[0]) if found else None

    port = wait_for(reserved, "a reserved port")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        go.touch()
        assert world.ended(run) == "succeeded", world.log()
    assert world.placement()["health"] == "healthy"


def test_a_server_that_is_not_there_is_exit_4(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidegate.cli.main", "status", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert "tidegate server" in done.stderr
