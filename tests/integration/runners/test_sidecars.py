"""Containers beside a step in a real engine: a real Postgres, and busybox that behaves badly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.containers import BUSYBOX, POSTGRES, Podman
from tests.integration.runners.contract import AT_ONCE, UID

from tidegate.model.lease import Mount, StepCommand
from tidegate.model.pipeline import Sidecar, SidecarHealth
from tidegate.runners.container import ContainerRunner
from tidegate.runners.container_spec import OWNER
from tidegate.runners.engine import Engine
from tidegate.runners.runner import StepNotStarted
from tidegate.runners.sidecars import Beside, ContainerSidecars, SidecarFailed

WEB = "sh -c 'mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8000 -h /www'"


@dataclass
class Bench:
    """Sidecars to be tried beside the step of one folder."""

    podman: Podman
    place: Path
    looks: int = 0
    sidecars: ContainerSidecars = field(init=False)

    def __post_init__(self) -> None:
        self.sidecars = ContainerSidecars(str(self.place), self.podman.engine)

    @property
    def folder(self) -> str:
        return str(self.place / "attempt.1.1")

    def start(self, *sidecars: Sidecar, for_container: bool = False) -> Beside:
        def look() -> None:
            self.looks += 1

        return self.sidecars.start(self.folder, sidecars, for_container, look)

    def left(self) -> list[str]:
        """What the engine has of this agent."""
        engine = self.podman.engine
        labels = {OWNER: str(self.place)}
        return [one.name for one in engine.containers(labels)] + list(engine.networks(labels))


@pytest.fixture
def bench(podman: Podman, place: Path) -> Iterator[Bench]:
    made = Bench(podman, place)
    yield made
    made.sidecars.remove(made.folder)
    assert made.left() == []


def sidecar(command: str = WEB, within: float = 20, health: str | None = None, name: str = "web") -> Sidecar:
    return Sidecar(name, BUSYBOX, 8000, command=command, health=SidecarHealth(health, timedelta(seconds=within)))


def database(image: str) -> Sidecar:
    health = SidecarHealth("pg_isready -h 127.0.0.1", timedelta(seconds=60))
    return Sidecar("database", image, 5432, env={"PGUSER": "postgres"}, health=health)


def fetched(env: Mapping[str, str], name: str = "WEB") -> str:
    url = f"http://{env[f'{name}_HOST']}:{env[f'{name}_PORT']}/"
    return subprocess.run(["/bin/busybox", "wget", "-q", "-O-", url], capture_output=True, text=True, timeout=10).stdout


def test_a_step_as_a_process_finds_a_real_database_at_its_variables(bench: Bench, postgres_image: str) -> None:
    beside = bench.start(database(postgres_image))
    assert beside.network is None
    assert beside.env["DATABASE_HOST"] == "127.0.0.1"
    with psycopg.connect(
        host=beside.env["DATABASE_HOST"], port=beside.env["DATABASE_PORT"], user="postgres"
    ) as connection:
        assert connection.execute("select 6 * 7").fetchone() == (42,)
    assert bench.looks > 0


def test_a_step_in_a_container_finds_it_in_a_network_of_their_own(
    bench: Bench, podman: Podman, postgres_image: str
) -> None:
    beside = bench.start(database(postgres_image), sidecar(name="web-server"), for_container=True)
    assert (beside.env["DATABASE_PORT"], beside.env["WEB_SERVER_PORT"]) == ("5432", "8000")
    runner = ContainerRunner(str(bench.place), UID, podman.engine)
    script = """
psql -h "$DATABASE_HOST" -p "$DATABASE_PORT" -U postgres -Atc 'select 6 * 7'
wget -q -O- "http://$WEB_SERVER_HOST:$WEB_SERVER_PORT/"
"""
    mounts = (Mount(str(bench.place)),)
    command = StepCommand(
        script, str(bench.place), bench.folder, beside.env, image=POSTGRES, mounts=mounts, network=beside.network
    )
    handle = runner.start(command)
    ended = runner.wait(handle, 20)
    runner.cancel(handle, AT_ONCE)
    assert ((Path(handle.folder) / "output").read_text(), ended.exit_code) == ("42\nhello\n", 0)


def test_steps_do_not_meet_the_sidecars_of_others(bench: Bench, podman: Podman, busybox_image: str) -> None:
    bench.start(sidecar())
    other = Bench(podman, bench.place / "other")
    other.start(sidecar("sh -c 'while sleep 1; do :; done'", health="true"))
    (mine,) = [one.name for one in podman.engine.containers({OWNER: str(bench.place)})]
    (theirs,) = [one.name for one in podman.engine.containers({OWNER: str(other.place)})]
    networks = [set(seen.addresses) for name in (mine, theirs) if (seen := podman.engine.look(name)) is not None]
    other.sidecars.remove(other.folder)
    assert len(networks) == 2
    assert networks[0].isdisjoint(networks[1])


def test_without_a_command_it_is_healthy_when_its_port_takes_connections(bench: Bench, busybox_image: str) -> None:
    beside = bench.start(sidecar(WEB.replace("exec", "sleep 0.7; exec")))
    assert fetched(beside.env) == "hello\n"


def test_its_environment_and_the_images_own_command_are_used(bench: Bench, podman: Podman, tmp_path: Path) -> None:
    lines = [f"COPY --from={BUSYBOX} / /", 'CMD ["/bin/sh", "-c", "echo $WORD > /index.html; httpd -f -p 8000 -h /"]']
    podman.build("localhost/tidegate-web:latest", tmp_path, lines)
    beside = bench.start(Sidecar("web", "localhost/tidegate-web:latest", 8000, env={"WORD": "it's $HOME"}))
    assert fetched(beside.env) == "it's $HOME\n"


def test_one_that_never_becomes_healthy_names_itself_and_shows_the_end_of_its_log(
    bench: Bench, busybox_image: str
) -> None:
    lines = "for i in $(seq 100); do echo line $i; done"
    with pytest.raises(SidecarFailed) as raised:
        bench.start(sidecar(f"sh -c '{lines}; sleep 60'", within=0.5))
    said = str(raised.value)
    assert "the service web (localhost/tidegate-busybox:latest) was not healthy within 0.5s" in said
    assert "nothing in it takes connections at port 8000" in said
    assert "line 100" in said
    assert "line 50\n" not in said
    assert bench.left() == []


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ("echo no; exit 3", "`echo no; exit 3` ended with 3 in it and said: no; it wrote no log"),
        ("sleep 60", "`sleep 60` did not come to an end in it; it wrote no log"),
    ],
)
def test_what_its_own_command_says_is_told(bench: Bench, busybox_image: str, health: str, words: str) -> None:
    with pytest.raises(SidecarFailed, match=f"within 3s: {words}"):
        bench.start(sidecar("sleep 60", 3, health))


def test_one_that_ends_names_itself_at_once(bench: Bench, busybox_image: str) -> None:
    with pytest.raises(SidecarFailed, match=r"service broken .* ended with exit status 7; .*\nout of memory"):
        bench.start(sidecar(), sidecar("sh -c 'echo out of memory >&2; exit 7'", 60, name="broken"))
    assert bench.left() == []


def test_one_that_cannot_be_started_names_itself(bench: Bench, busybox_image: str) -> None:
    with pytest.raises(SidecarFailed, match=r"service web .* could not be started: .*no-such-command"):
        bench.start(sidecar("no-such-command"))
    assert bench.left() == []


def test_a_cancelled_step_does_not_wait_for_its_sidecars(bench: Bench, busybox_image: str) -> None:
    def look() -> None:
        bench.looks += 1
        if bench.looks == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        bench.sidecars.start(bench.folder, [sidecar("sleep 60", 60)], False, look)
    assert bench.left() == []


def test_one_that_ends_during_the_step_is_told_of(bench: Bench, busybox_image: str) -> None:
    bench.start(sidecar(), sidecar(name="other"))
    assert bench.sidecars.fallen(bench.folder) == ()
    (name,) = [name for name in bench.left() if name.endswith("-web")]
    bench.podman.command("kill", "--signal", "KILL", name)
    (said,) = bench.sidecars.fallen(bench.folder)
    assert said.startswith("the service web ended with exit status 137")


def test_what_a_killed_agent_left_is_replaced_by_the_next_start_or_removed_by_the_runner(
    bench: Bench, podman: Podman, busybox_image: str
) -> None:
    source = f"""
import datetime, os, signal
from tidegate.model.pipeline import Sidecar, SidecarHealth
from tidegate.runners.engine import Engine
from tidegate.runners.sidecars import ContainerSidecars
Engine.run = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sidecars = ContainerSidecars({str(bench.place)!r}, Engine({podman.url!r}))
sidecars.start({bench.folder!r}, [{sidecar(health="true")!r}], False, lambda: None)
"""
    killed = subprocess.run([sys.executable, "-c", source], timeout=30)
    assert killed.returncode == -signal.SIGKILL
    before = bench.left()
    assert len(before) == 2
    bench.start(sidecar())
    assert len(bench.left()) == 2
    runner = ContainerRunner(str(bench.place), UID if os.geteuid() == 0 else None, podman.engine)
    runner.remove_all_but([bench.folder])
    assert len(bench.left()) == 2
    runner.remove_all_but([])
    assert bench.left() == []


def test_a_network_cannot_be_made_while_the_engine_is_away_and_that_is_said(bench: Bench, place: Path) -> None:
    away = ContainerSidecars(str(place), Engine(f"unix://{place}/none"))
    with pytest.raises(StepNotStarted, match=r"services could not be started: the container engine at .* not answer"):
        away.start(bench.folder, [sidecar()], False, lambda: None)
    assert away.fallen(bench.folder) == ()
