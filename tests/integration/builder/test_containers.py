"""Steps in containers, and with services beside them, as a person builds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.containers import BUSYBOX, Podman, busybox_image, podman

from tidegate.builder.stop import Stop
from tidegate.model.pipeline import Setup, Sidecar, SidecarHealth
from tidegate.model.step_run import StepState

from .tree import Seen, Tree, step

__all__ = ["busybox_image", "podman"]

SERVE = "/bin/sh -c 'mkdir -p /www; echo up > /www/index.html; exec httpd -f -p 8000 -h /www'"
WEB = Sidecar("web", BUSYBOX, 8000, command=SERVE, health=SidecarHealth("wget -q -O - http://127.0.0.1:8000/"))


@pytest.fixture
def contained(tree: Tree, podman: Podman, busybox_image: str, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree on a machine with a container engine."""
    monkeypatch.setenv("DOCKER_HOST", podman.url)
    return tree


def test_a_step_with_an_image_sees_the_tree_and_nothing_else_of_the_machine(contained: Tree, podman: Podman) -> None:
    contained.write("src/a", "hello\n")
    script = "cat a; pwd; ls /; touch $HOME/kept $TMPDIR/mine; mkdir -p ../out; echo made > ../out/x"
    contained.setup = Setup("test -x /bin/busybox; if test -e /root; then exit 1; fi")
    contained.steps = [
        step("in", script, inputs=("src/**",), outputs=("out",), image=BUSYBOX, working_directory="src"),
        step("out", "cat out/x", needs=("in",)),
    ]
    seen = contained.build()
    assert seen.state is StepState.SUCCEEDED, (seen.ends, seen.lines)
    assert seen.ran == ["setup", "in", "out"]
    assert seen.lines["in"][:2] == ["hello", str(contained.folder / "src")]
    assert "root" not in seen.lines["in"]
    report = seen.ends["in"].report
    assert report is not None
    assert report.image is not None
    assert "sha256:" in report.image
    assert contained.build().cached == {"in"}
    assert not podman.engine.containers({})


def test_a_step_finds_its_service_and_it_is_gone_afterwards(contained: Tree, podman: Podman) -> None:
    ask = "import os, urllib.request as u; print(u.urlopen('http://' + os.environ['AT']).read().decode().strip())"
    contained.steps = [
        step("inside", 'wget -q -O - "http://$WEB_HOST:$WEB_PORT/"', image=BUSYBOX, sidecars=(WEB,)),
        step("beside", f'AT="$WEB_HOST:$WEB_PORT" python3 -c "{ask}"', sidecars=(WEB,)),
    ]
    seen = contained.build()
    assert seen.state is StepState.SUCCEEDED, (seen.ends, seen.lines)
    assert (seen.lines["inside"], seen.lines["beside"]) == (["up"], ["up"])
    assert not podman.engine.containers({})


def test_a_step_in_a_container_that_takes_too_long_or_fails_says_so(contained: Tree, podman: Podman) -> None:
    contained.steps = [
        step("slow", "echo begun; sleep 300", image=BUSYBOX, timeout=timedelta(seconds=1)),
        step("fails", "echo no; exit 3", image=BUSYBOX),
        step("lost", image="localhost/no-such-image:1"),
    ]
    seen = contained.build(keep_going=True)
    assert seen.state_of("slow") is StepState.TIMED_OUT
    assert seen.lines["slow"][0] == "begun"
    assert "exit status 3" in seen.detail("fails")
    assert "localhost/no-such-image:1" in seen.detail("lost")
    assert not podman.engine.containers({})


def test_a_second_wish_to_stop_ends_a_container_at_once(contained: Tree, podman: Podman) -> None:
    contained.steps = [step("stubborn", "trap '' TERM; echo stop; echo stop; while :; do sleep 1; done", image=BUSYBOX)]
    stop = Stop()

    class Asking(Seen):
        def wrote(self, name: str, lines: Sequence[str]) -> None:
            super().wrote(name, lines)
            for line in lines:
                if line == "stop":
                    stop.ask()

    assert contained.build(stop=stop, seen=Asking()).state is StepState.CANCELLED
    assert not podman.engine.containers({})


def test_without_an_engine_a_step_with_an_image_fails_and_says_what_to_do(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tree.folder}/nothing")
    tree.steps = [step("in", image="busybox")]
    detail = tree.build().detail("in")
    assert "engine" in detail
