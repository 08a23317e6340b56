"""Steps in containers, and with services beside them, as an agent performs them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.containers import BUSYBOX, Podman, busybox_image, podman

from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import Sidecar, SidecarHealth
from tidegate.runners.engine import Engine

from .world import UID, World, until

__all__ = ["busybox_image", "podman"]


@pytest.fixture
def contained(
    world: World, podman: Podman, busybox_image: str, as_root: None, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A world whose agent has a container engine."""
    monkeypatch.setenv("DOCKER_HOST", podman.url)
    world.run_as = UID
    world.start_agent()
    return world


def test_a_step_with_an_image_sees_its_checkout_its_home_and_what_it_needs_and_nothing_else(contained: World) -> None:
    made = contained.perform("mkdir out; echo made > out/file", "STEP1", outputs=("out",))
    assert made.outputs is not None
    report = contained.perform(
        "cat hello.txt out/file; id -u; touch $HOME/kept $TMPDIR/mine; ls /; echo end > made.txt",
        "STEP2",
        image=BUSYBOX,
        makes={"shop": "made.txt"},
        handed=(made.outputs,),
    )
    assert report.outcome is StepOutcome.SUCCEEDED, (report.detail, contained.server.lines("STEP2"))
    lines = contained.server.lines("STEP2")
    assert lines[:3] == ["hello", "made", str(UID)]
    assert "root" not in lines
    assert report.image is not None
    assert "sha256:" in report.image
    assert [one.name for one in report.artifacts] == ["shop"]


def test_an_image_that_does_not_exist_fails_the_step_and_is_named(contained: World) -> None:
    report = contained.perform("true", image="localhost/no-such-image:1")
    assert report.outcome is StepOutcome.FAILED
    assert "localhost/no-such-image:1" in report.detail


def test_a_step_finds_its_service_and_it_is_gone_afterwards(contained: World, podman: Podman) -> None:
    serve = "/bin/sh -c 'mkdir -p /www; echo up > /www/index.html; exec httpd -f -p 8000 -h /www'"
    web = Sidecar("web", BUSYBOX, 8000, command=serve, health=SidecarHealth("wget -q -O - http://127.0.0.1:8000/"))
    inside = contained.perform('wget -q -O - "http://$WEB_HOST:$WEB_PORT/"', "STEP1", image=BUSYBOX, sidecars=(web,))
    assert inside.outcome is StepOutcome.SUCCEEDED, (inside.detail, contained.server.lines("STEP1"))
    ask = "import os, urllib.request as u; print(u.urlopen('http://' + os.environ['AT']).read().decode().strip())"
    python = f'AT="$WEB_HOST:$WEB_PORT" python3 -c "{ask}"'
    outside = contained.perform(python, "STEP2", sidecars=(web,))
    assert outside.outcome is StepOutcome.SUCCEEDED, (outside.detail, contained.server.lines("STEP2"))
    assert contained.server.lines("STEP1") == ["up"]
    assert contained.server.lines("STEP2")[0] == "up"
    assert Engine(podman.url).containers({}) == []


def test_a_service_that_never_becomes_healthy_is_named_with_the_end_of_its_log(contained: World) -> None:
    broken = Sidecar("database", BUSYBOX, 5432, command="/bin/sh -c 'echo no such cluster; exit 3'")
    report = contained.perform("echo never", sidecars=(broken,))
    assert report.outcome is StepOutcome.FAILED
    assert "database" in report.detail
    assert "no such cluster" in report.detail
    assert "never" not in contained.server.lines("STEP1")


def test_a_step_in_a_container_goes_on_while_its_agent_is_dead_and_is_adopted(
    contained: World, wait_for_line: Callable[[str], None]
) -> None:
    gate = contained.data / "agent" / "homes"
    contained.server.offer(
        contained.lease("echo begun; while [ ! -e $HOME/go ]; do sleep 0.1; done; echo done", image=BUSYBOX)
    )
    wait_for_line("begun")
    contained.kill_agent()
    (gate / "shop" / "go").touch()
    contained.start_agent()
    report = contained.server.result("STEP1")
    assert report.outcome is StepOutcome.SUCCEEDED, report.detail
    assert contained.server.lines("STEP1") == ["begun", "done"]


@pytest.fixture
def wait_for_line(world: World) -> Callable[[str], None]:
    """Waits until the first step wrote a line."""
    return lambda line: until(lambda: line in world.server.lines("STEP1"))
