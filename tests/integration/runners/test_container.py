"""Commands in containers of a real engine: what every runner promises, and what a container adds to it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.containers import BUSYBOX, Podman, copy_busybox, copy_file, needed_by
from tests.integration.runners.contract import (
    AT_ONCE,
    BEAT,
    GENTLY,
    UID,
    Bench,
    DurableRunnerContract,
    RunnerContract,
    beats,
    output,
    until,
)

from tidegate.model.lease import Mount, ProcessState, StepCommand
from tidegate.runners import container
from tidegate.runners.attempt_folder import mark_of
from tidegate.runners.by_image import RunnerByImage
from tidegate.runners.container import ContainerRunner
from tidegate.runners.container_spec import ATTEMPT, OWNER, ContainerSpec, name_of
from tidegate.runners.engine import Engine
from tidegate.runners.process import ProcessRunner
from tidegate.runners.runner import StepNotStarted, StepWillNotEnd


@pytest.fixture
def runner(podman: Podman, place: Path) -> ContainerRunner:
    return ContainerRunner(str(place), UID, podman.engine)


@pytest.fixture
def bench(runner: ContainerRunner, podman: Podman, place: Path, busybox_image: str) -> Iterator[Bench]:
    elsewhere = f"""
from tidegate.runners.container import ContainerRunner
from tidegate.runners.engine import Engine
runner = ContainerRunner({runner.owner!r}, {UID}, Engine({podman.url!r}))
"""
    made = Bench(runner, place, elsewhere, UID, busybox_image)
    yield made
    made.close()
    left = [one.name for one in podman.engine.containers({OWNER: runner.owner})]
    runner.remove_all_but([])
    assert not left


class TestContainerRunner(RunnerContract):
    """Runs commands as it should."""


class TestDurableContainerRunner(DurableRunnerContract):
    """Outlives its agent as it should."""


def name_for(bench: Bench, attempt: str = "attempt.1.1") -> str:
    return name_of(mark_of(bench.place / attempt))


def test_the_images_variables_lie_below_the_commands_own(bench: Bench, podman: Podman, tmp_path: Path) -> None:
    lines = [f"COPY --from={BUSYBOX} / /", "ENV COLOUR=red SHAPE=round PATH=/bin", "WORKDIR /somewhere"]
    podman.build("localhost/tidegate-coloured:latest", tmp_path, lines)
    bench.image = "localhost/tidegate-coloured:latest"
    said = bench.output("env; pwd", env={"COLOUR": "blue"})
    assert {"COLOUR=blue", "SHAPE=round", "PATH=/bin", str(bench.work)} <= set(said.splitlines())


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_any_images_shell_will_do(bench: Bench, podman: Podman, tmp_path: Path, shell: str) -> None:
    program = Path("/bin") / shell
    copy_busybox(tmp_path)
    for library in needed_by([program]):
        copy_file(library, tmp_path)
    copy_file(program, tmp_path, "/bin/sh")
    bench.image = f"localhost/tidegate-{shell}:latest"
    podman.build(bench.image, tmp_path, ["COPY . /"])
    daemon = "trap 'touch cleaned; exit' TERM; touch up; while :; do sleep 0.05; done"
    script = f'echo out; echo err > /dev/stderr; setsid sh -c "{daemon}" >/dev/null 2>&1 & until [ -e up ]; do :; done'
    handle = bench.start(f"{script}; kill -TERM 0; sleep 30")
    assert bench.ended(handle).exit_code == 128 + signal.SIGTERM
    bench.runner.cancel(handle, timedelta(seconds=10))
    assert output(handle).startswith("out\nerr\n")
    assert (bench.work / "cleaned").exists()


def test_a_command_has_no_privilege_and_cannot_gain_one(bench: Bench) -> None:
    said = bench.output("grep -E '^(NoNewPrivs|Cap|Seccomp:)' /proc/self/status").split()
    assert said[said.index("NoNewPrivs:") + 1] == "1"
    assert said[said.index("CapBnd:") + 1] == said[said.index("CapEff:") + 1] == "0" * 16


def test_a_command_sees_only_what_it_is_given(bench: Bench) -> None:
    secret = bench.place / "admin-token"
    secret.write_text("hunter2")
    for name in ("given", "tmp"):
        (bench.place / name).mkdir()
        (bench.place / name).chmod(0o777)
    mounts = (Mount(str(bench.work)), Mount(str(bench.place / "tmp")), Mount(str(bench.place / "given"), False))
    script = f"ls {bench.place}; touch {bench.place}/tmp/made; touch {bench.place}/given/made || exit 9"
    handle = bench.runner.start(replace(bench.command(script), mounts=mounts))
    bench.handles.append(handle)
    assert bench.ended(handle).exit_code == 9
    assert output(handle).splitlines()[:3] == ["given", "tmp", "work"]
    assert "Read-only file system" in output(handle)
    assert (bench.place / "tmp" / "made").exists()


def test_a_command_that_starts_processes_without_end_is_held_and_ended(bench: Bench, podman: Podman) -> None:
    bench.runner = ContainerRunner(str(bench.place), UID, podman.engine, most_processes=40)
    handle = bench.start("touch up; i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; sleep 60")
    until(lambda: "can't fork" in output(handle))
    bench.runner.cancel(handle, GENTLY)
    assert bench.runner.poll(handle).state is not ProcessState.RUNNING


def test_an_image_that_does_not_exist_is_named_with_what_to_do(bench: Bench, runner: ContainerRunner) -> None:
    bench.image = "localhost:1/no-such-image:7"
    with pytest.raises(StepNotStarted) as raised:
        bench.start("true")
    for words in ("localhost:1/no-such-image:7", "could not be pulled: ", "Check its name and tag"):
        assert words in str(raised.value)
    assert bench.runner.find(str(bench.place / "attempt.1.1")) is None
    with pytest.raises(StepNotStarted, match="invalid reference"):
        runner.digest_of("No Image!")


def test_an_image_without_a_shell_is_told_what_it_lacks(bench: Bench, podman: Podman, tmp_path: Path) -> None:
    podman.build("localhost/tidegate-empty:latest", tmp_path, ["COPY Containerfile /"])
    bench.image = "localhost/tidegate-empty:latest"
    with pytest.raises(StepNotStarted, match=r"tidegate-empty.* needs /bin/sh, cat and sleep"):
        bench.start("true")
    assert bench.runner.find(str(bench.place / "attempt.1.1")) is None
    assert podman.engine.look(name_for(bench)) is None


def test_a_container_that_ends_before_the_command_begins_is_no_lost_command(bench: Bench, podman: Podman) -> None:
    # as where an engine gives the command a user who may not write the files: another one than the runner thinks
    bench.runner = ContainerRunner(str(bench.place), UID, _Engine(podman.url))
    with pytest.raises(StepNotStarted, match="progress: Permission denied"):
        bench.start("true")
    assert podman.engine.look(name_for(bench)) is None


class _Engine(Engine):
    """Runs everything as another user."""

    def create(self, spec: ContainerSpec) -> None:
        super().create(replace(spec, user="4711:4711"))


def test_the_digest_of_an_image_is_by_which_its_registry_knows_it(runner: ContainerRunner, podman: Podman) -> None:
    listed = podman.command("image", "inspect", "--format", "{{.Digest}}", BUSYBOX)
    assert runner.digest_of(BUSYBOX) == listed.stdout.strip()


def test_while_an_image_is_pulled_a_cancelled_step_need_not_wait(podman: Podman) -> None:
    going_on = threading.Event()

    class Slow(Engine):
        def pull(self, name: str) -> None:
            going_on.wait(20)

    def cancelled() -> None:
        raise InterruptedError

    try:
        with pytest.raises(InterruptedError):
            ContainerRunner("nobody", UID, Slow(podman.url)).digest_of("localhost/none:1", cancelled)
    finally:
        going_on.set()


def test_without_an_engine_the_message_names_the_places_where_one_was_looked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("tidegate.runners.engine.usual_sockets", lambda: [place / "docker.sock"])
    runner = ContainerRunner(str(place))
    command = StepCommand("true", str(place), str(place / "a.1.1"), image="any:1", mounts=(Mount(str(place)),))
    with pytest.raises(StepNotStarted, match=rf"DOCKER_HOST is not set.*{place}/docker.sock.*podman.socket"):
        runner.start(command)
    assert runner.find(command.folder) is None
    runner.remove_all_but([])
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/none.sock")
    with pytest.raises(StepNotStarted, match=rf"engine at unix://{place}/none.sock does not answer"):
        runner.start(command)
    runner.remove_all_but([])


def test_a_command_goes_on_while_the_engine_is_away(
    bench: Bench, podman: Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_FORCE_SECONDS", 0.3)
    handle = bench.start("while [ ! -e go ]; do sleep 0.02; done; echo went; exit 3")
    podman.stop_serving()
    try:
        assert bench.runner.poll(handle).state is ProcessState.RUNNING
        assert bench.runner.find(handle.folder) == handle
        (bench.work / "go").touch()
        assert bench.ended(handle).exit_code == 3
        assert output(handle) == "went\n"
        with pytest.raises(StepWillNotEnd, match="does not answer"):
            bench.runner.cancel(handle, AT_ONCE)
    finally:
        podman.serve()
    bench.runner.cancel(handle, AT_ONCE)
    assert podman.engine.look(name_for(bench)) is None


def test_a_container_that_somebody_else_ends_is_gone(bench: Bench, podman: Podman) -> None:
    handle = bench.start(BEAT)
    podman.engine.end(name_for(bench))
    polled = bench.runner.wait(handle, 5)
    assert (polled.state, polled.exit_code) == (ProcessState.GONE, None)
    assert bench.runner.find(handle.folder) == handle


def test_a_container_that_somebody_starts_again_runs_nothing(bench: Bench, podman: Podman) -> None:
    handle = bench.start("echo x >> count")
    ended = bench.ended(handle)
    name = name_for(bench)
    until(lambda: (seen := podman.engine.look(name)) is not None and not seen.is_alive)
    podman.engine.start(name)
    until(lambda: (seen := podman.engine.look(name)) is not None and not seen.is_alive)
    assert (bench.work / "count").read_text() == "x\n"
    assert bench.runner.poll(handle) == ended


def test_a_paused_container_is_ended(bench: Bench, podman: Podman) -> None:
    handle = bench.start(f"trap 'echo cleaned; exit' TERM; {BEAT}")
    until((bench.work / "beat").exists)
    podman.command("pause", name_for(bench))
    assert bench.runner.poll(handle).state is ProcessState.RUNNING
    bench.runner.cancel(handle, timedelta(seconds=10))
    assert output(handle).endswith("cleaned\n")
    assert podman.engine.look(name_for(bench)) is None


MOMENTS = [
    "before write_whole",
    "after write_whole",
    "after create",
    "before start",
    "during start",
    "after start",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_agent_killed_at_any_moment_of_a_start_never_makes_a_command_run_twice(bench: Bench, moment: str) -> None:
    command = bench.command("echo x >> count; sleep 0.2")
    with bench.other_process(_KILL + f"die({moment!r})\nrunner.start(command)", command) as killed:
        assert killed.wait(timeout=20) == -signal.SIGKILL
    handle = bench.runner.find(command.folder)
    if handle is None:
        handle = bench.runner.start(command)
    bench.handles.append(handle)
    assert bench.ended(handle).exit_code == 0
    assert (bench.work / "count").read_text() == "x\n"


_KILL = """
import threading, time
from tidegate.runners import container
def die(moment):
    when, what = moment.split()
    where = container if what == "write_whole" else Engine
    whole = getattr(where, what)
    def dying(*words):
        if when == "during":
            threading.Thread(target=whole, args=words).start()
            time.sleep(0.05)
        elif when == "after":
            whole(*words)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(where, what, dying)
"""


def test_an_agent_removes_what_earlier_ones_left_and_nothing_else(
    bench: Bench, runner: ContainerRunner, podman: Podman
) -> None:
    kept, left = bench.start("sleep 60", "kept.1.1"), bench.start(BEAT, "left.1.1")
    strangers = Bench(ContainerRunner("another agent", UID, podman.engine), bench.place, "", UID, bench.image)
    other = strangers.start("sleep 60", "other.1.1")
    podman.engine.create_network("tidegate-left", {OWNER: runner.owner, ATTEMPT: "left"})
    runner.remove_all_but([kept.folder])
    assert runner.poll(left).state is ProcessState.GONE
    assert not beats(bench.work / "beat")
    assert not podman.engine.networks({OWNER: runner.owner})
    assert runner.poll(kept).state is ProcessState.RUNNING
    assert strangers.runner.poll(other).state is ProcessState.RUNNING
    strangers.close()


def test_what_is_of_another_boot_is_removed_though_its_attempt_is_known(
    bench: Bench, runner: ContainerRunner, podman: Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = bench.start("sleep 60")
    monkeypatch.setattr(container, "boot_id", lambda: "the next boot")
    runner.remove_all_but([handle.folder])
    assert podman.engine.look(name_for(bench)) is None
    assert runner.poll(handle).state is ProcessState.GONE


def test_each_command_goes_to_the_runner_that_it_needs(bench: Bench, runner: ContainerRunner) -> None:
    both = RunnerByImage(ProcessRunner(UID), runner)
    asks = "[ -e /.tidegate ] && exit 3 || exit 4"
    for command, status in (
        (bench.command(asks, "a.1.1"), 3),
        (replace(bench.command(asks, "b.1.1"), image=None, mounts=()), 4),
    ):
        handle = both.start(command)
        assert both.wait(handle, 10).exit_code == status
        assert both.find(command.folder) == handle
        both.cancel(handle, AT_ONCE)
        assert both.poll(handle).exit_code == status
