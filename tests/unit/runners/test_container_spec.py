"""What a container is made of, told by value before any engine is asked."""

from __future__ import annotations

from tidegate.model.lease import Mount, StepCommand
from tidegate.model.pipeline import Sidecar
from tidegate.runners.container_spec import (
    ATTEMPT,
    OWNER,
    SHIM,
    SIDECAR,
    SIDECAR_CAPABILITIES,
    Bind,
    SeenContainer,
    name_of,
    sidecar_container,
    step_container,
)

COMMAND = StepCommand(
    script="make",
    cwd="/a/tree/shop",
    folder="/a/attempts/s.1.1",
    env={"COLOUR": "blue"},
    image="shop:1",
    mounts=(Mount("/a/tree"), Mount("/a/artifacts", writable=False)),
    network="tidegate-s",
)
LABELS = {OWNER: "/a"}


def test_a_steps_container_has_the_attempts_files_and_what_it_is_given_and_nothing_else() -> None:
    made = step_container(COMMAND, "s.1.1-0a1b", "sha256:12", LABELS, "61200:61200")
    assert made.binds == (
        Bind("/a/attempts/s.1.1/script", "/.tidegate/script", writable=False),
        Bind("/a/attempts/s.1.1/progress", "/.tidegate/progress", writable=True),
        Bind("/a/attempts/s.1.1/exit", "/.tidegate/exit", writable=True),
        Bind("/a/attempts/s.1.1/output", "/.tidegate/output", writable=True),
        Bind("/a/tree", "/a/tree", writable=True),
        Bind("/a/artifacts", "/a/artifacts", writable=False),
    )


def test_a_steps_container_is_unprivileged_and_marked() -> None:
    made = step_container(COMMAND, "s.1.1-0a1b", "sha256:12", LABELS, "61200:61200")
    assert (made.name, made.labels) == ("tidegate-s.1.1-0a1b", {OWNER: "/a", ATTEMPT: "s.1.1-0a1b"})
    assert (made.user, made.capabilities, made.published) == ("61200:61200", (), None)
    assert (made.image, made.cwd, made.network, made.env) == (
        "sha256:12",
        "/a/tree/shop",
        "tidegate-s",
        {"COLOUR": "blue"},
    )
    assert made.entrypoint == ("/bin/sh", "-c", SHIM, "sh", "/bin/sh", "-eu", "/.tidegate/script")


def test_a_sidecar_sees_no_file_of_this_machine_and_has_little_more_than_a_step() -> None:
    sidecar = Sidecar("my database", "db:16", 5432, env={"WORD": "a b"}, command="db -c 'fsync = off'")
    made = sidecar_container(sidecar, "s.1.1-0a1b", "sha256:34", LABELS, "tidegate-s")
    assert made.binds == ()
    assert made.entrypoint == ()
    assert made.command == ("db", "-c", "fsync = off")
    assert made.capabilities == SIDECAR_CAPABILITIES
    assert (made.name, made.alias) == ("tidegate-s.1.1-0a1b-my_database", "my-database")
    assert made.labels == {OWNER: "/a", ATTEMPT: "s.1.1-0a1b", SIDECAR: "my database"}
    assert sidecar_container(Sidecar("db", "db:16", 1), "m", "i", {}, "n").command == ()


def test_names_have_only_what_engines_take() -> None:
    assert name_of("a/b c.1", "ü") == "tidegate-a_b_c.1-_"


def test_what_was_made_and_not_started_neither_lives_nor_ever_did() -> None:
    created, running, exited, paused = (SeenContainer("x", one) for one in ("created", "running", "exited", "paused"))
    assert [one.was_started for one in (created, running, exited, paused)] == [False, True, True, True]
    assert [one.is_alive for one in (created, running, exited, paused)] == [False, True, False, True]
