"""What every target must do, whichever way it installs: written once, run against each adapter.

A test class inherits `TargetContract` and gives a fixture `bench`. Instances must be processes of this machine that
listen on the loopback address.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import Commit, DeploymentId, Digest, EnvironmentName, Generation, ReleaseId, ServiceName
from tidegate.model.ids import placement_id as placement_of
from tidegate.model.installation import DesiredInstallation, Installation, InstallationState, InstanceState
from tidegate.model.pipeline import Health, Runtime
from tidegate.targets.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = b"""
import http.server, os, sys, threading
behaviour = os.environ.get("BEHAVIOUR", "good")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if behaviour == "sick" else 200)
        self.end_headers()
        self.wfile.write(os.environ.get(self.path[1:], str(os.getuid())).encode())
port = int(os.environ["OTHER_PORT" if behaviour == "elsewhere" else "PORT"])
if behaviour == "dies":
    threading.Timer(1.2, os._exit, [3]).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
print("serving with", os.environ.get("DATABASE_URL"), flush=True)
server.serve_forever()
"""
START = 'exec python3 "$TIDEGATE_ARTIFACTS/server.py"'
LIMIT_SECONDS = 60.0

T = TypeVar("T")


class BytesByDigest:
    """Artifacts in memory."""

    def __init__(self, contents: Mapping[Digest, bytes]) -> None:
        self._contents = contents

    def copy_to(self, digest: Digest, path: Path) -> None:
        path.write_bytes(self._contents[digest])


SERVER_DIGEST = Digest("sha256:" + "5" * 64)
ARTIFACTS = BytesByDigest({SERVER_DIGEST: SERVER})


@dataclass
class Bench:
    """A target to be tried, and what is needed to ask for things and to look at the result."""

    target: Target

    def desired(self, instances: int = 1, **runtime: object) -> DesiredInstallation:
        """A deployment of the test's server; `runtime` replaces parts of how it runs."""
        how = Runtime(
            command=START,
            artifact="server",
            health=Health("/healthz", within=timedelta(seconds=15)),
            stop_grace=timedelta(seconds=3),
        )
        service, environment = ServiceName("shop"), EnvironmentName("production")
        return DesiredInstallation(
            deployment=DeploymentId("production-r1-0a1b2c3d"),
            placement=placement_of(service, environment),
            service=service,
            environment=environment,
            release=ReleaseId("r1"),
            commit=Commit("c" * 40),
            runtime=replace(how, **runtime),  # type: ignore[arg-type]
            instances=instances,
            ports=unused_ports(4),
            artifacts={"server.py": SERVER_DIGEST},
            env={"TIDEGATE_SERVICE": "shop"},
            secrets={},
        )

    def apply(self, desired: DesiredInstallation, generation: int = 1) -> Installation:
        return self.target.apply(desired, Generation(generation))

    def reach(self, desired: DesiredInstallation, state: InstallationState, generation: int = 1) -> Installation:
        """Apply until the installation is in that state; fails where that takes too long or is impossible."""
        final = {state, InstallationState.FAILED}
        found = until(lambda: self.apply(desired, generation), lambda one: one.state in final)
        assert found.state is state, found.detail
        return found


def until(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """Look again and again until what is seen is wanted."""
    deadline = time.monotonic() + LIMIT_SECONDS
    pause = threading.Event()
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        pause.wait(0.05)
    return seen


def unused_ports(count: int) -> tuple[int, ...]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return ports


def listener(port: int) -> int | None:
    """The id of the process that listens on a port."""
    for one in psutil.net_connections(kind="tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
            return one.pid
    return None


def get(port: int, path: str = "/") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


@contextmanager
def somebody_else_on(port: int) -> Iterator[None]:
    """This test itself listens on the port and answers nothing."""
    with socket.create_server(("127.0.0.1", port)):
        yield


class TargetContract:
    """What the engine relies on."""

    def test_a_deployment_becomes_ready_and_answers_on_its_ports(self, bench: Bench) -> None:
        desired = bench.desired(instances=2)
        ready = bench.reach(desired, InstallationState.READY)
        assert [one.port for one in ready.healthy] == list(desired.ports[:2])
        assert get(desired.ports[1], "/TIDEGATE_SERVICE") == "shop"
        assert bench.target.observe(desired.deployment) == ready

    def test_a_deployment_that_nobody_asked_for_is_absent(self, bench: Bench) -> None:
        assert bench.target.observe(DeploymentId("production-r9-00000000")).state is InstallationState.ABSENT

    def test_the_same_applied_twice_changes_nothing(self, bench: Bench) -> None:
        desired = bench.desired(instances=2, prepare="echo x >> times")
        first = bench.reach(desired, InstallationState.READY)
        before = [listener(port) for port in desired.ports[:2]]
        assert bench.apply(desired) == first
        assert bench.apply(desired, generation=2) == first
        assert [listener(port) for port in desired.ports[:2]] == before

    def test_growing_leaves_the_instances_that_run_alone(self, bench: Bench) -> None:
        desired = bench.desired(instances=1)
        bench.reach(desired, InstallationState.READY)
        before = listener(desired.ports[0])
        grown = bench.reach(replace(desired, instances=3), InstallationState.READY)
        assert len(grown.healthy) == 3
        assert listener(desired.ports[0]) == before

    def test_shrinking_stops_the_highest_index_first(self, bench: Bench) -> None:
        desired = bench.desired(instances=3)
        bench.reach(desired, InstallationState.READY)
        kept = listener(desired.ports[0])
        bench.reach(replace(desired, instances=1), InstallationState.READY, generation=2)
        assert [listener(port) for port in desired.ports[:3]] == [kept, None, None]

    def test_an_instance_that_is_wanted_again_while_it_stops_comes_back(self, bench: Bench) -> None:
        desired = bench.desired(instances=2, command=f"trap 'sleep 0.5; exit 0' TERM; ({START}) & wait")
        bench.reach(desired, InstallationState.READY)
        kept = listener(desired.ports[0])
        assert bench.apply(replace(desired, instances=1), generation=2).state is InstallationState.STOPPING
        again = bench.reach(desired, InstallationState.READY, generation=3)
        assert [one.restarts for one in again.instances] == [0, 0]
        assert listener(desired.ports[0]) == kept

    def test_none_desired_removes_the_deployment_wholly(self, bench: Bench) -> None:
        desired = bench.desired(instances=2)
        bench.reach(desired, InstallationState.READY)
        bench.reach(replace(desired, instances=0), InstallationState.ABSENT, generation=2)
        assert [listener(port) for port in desired.ports[:2]] == [None, None]
        assert bench.target.observe(desired.deployment).state is InstallationState.ABSENT
        assert bench.apply(replace(desired, instances=0), generation=2).state is InstallationState.ABSENT

    def test_a_late_caller_with_an_older_generation_is_refused_and_changes_nothing(self, bench: Bench) -> None:
        desired = bench.desired()
        bench.reach(desired, InstallationState.READY, generation=7)
        other = replace(desired, deployment=DeploymentId("production-r2-0a1b2c3d"), ports=desired.ports[1:])
        for late in (replace(desired, instances=0), other):
            with pytest.raises(StaleGeneration):
                bench.apply(late, generation=6)
        assert bench.apply(desired, generation=7).state is InstallationState.READY
        assert bench.target.observe(other.deployment).state is InstallationState.ABSENT

    def test_prepare_runs_once_before_the_first_instance(self, bench: Bench) -> None:
        command = f"TIMES=$(wc -l < times); export TIMES; {START}"
        desired = bench.desired(instances=2, prepare="echo once more >> times", command=command)
        bench.reach(desired, InstallationState.READY)
        bench.reach(replace(desired, instances=3), InstallationState.READY, generation=2)
        assert [get(port, "/TIMES").strip() for port in desired.ports[:3]] == ["1", "1", "1"]

    def test_a_failing_prepare_fails_the_installation_with_its_last_words(self, bench: Bench) -> None:
        desired = bench.desired(prepare="echo the disk of the moon is full >&2; exit 7")
        failed = bench.reach(desired, InstallationState.FAILED)
        assert "exit status 7" in failed.detail
        assert "the disk of the moon is full" in failed.detail
        assert listener(desired.ports[0]) is None

    def test_an_instance_that_answers_badly_is_never_ready_and_the_answer_is_told(self, bench: Bench) -> None:
        desired = bench.desired(command=f"BEHAVIOUR=sick; export BEHAVIOUR; {START}", health=_soon())
        failed = bench.reach(desired, InstallationState.FAILED)
        assert "GET /healthz answered 503" in failed.detail
        assert failed.healthy == ()

    def test_an_instance_that_dies_again_and_again_is_a_crash_loop(self, bench: Bench) -> None:
        desired = bench.desired(command=f"BEHAVIOUR=dies; export BEHAVIOUR; {START}")
        failed = until(lambda: bench.apply(desired), lambda one: one.state is InstallationState.FAILED)
        assert failed.instances[0].restarts >= 3
        assert "exit status 3" in failed.detail

    def test_an_instance_on_another_port_is_told_which(self, bench: Bench) -> None:
        other = unused_ports(1)[0]
        command = f"BEHAVIOUR=elsewhere; OTHER_PORT={other}; export BEHAVIOUR OTHER_PORT; {START}"
        desired = bench.desired(command=command, health=_soon())
        failed = bench.reach(desired, InstallationState.FAILED)
        assert f"listens on {other}, not on $PORT {desired.ports[0]}" in failed.detail

    def test_whoever_holds_the_port_is_not_taken_for_the_instance_and_is_named(self, bench: Bench) -> None:
        desired = bench.desired(command="exec sleep 60", health=_soon())
        with somebody_else_on(desired.ports[0]):
            failed = bench.reach(desired, InstallationState.FAILED)
        me = psutil.Process()
        assert f"port {desired.ports[0]} is taken by pid {me.pid} ({me.name()})" in failed.detail

    def test_a_command_that_does_not_exist_fails_and_is_named(self, bench: Bench) -> None:
        failed = bench.reach(bench.desired(command="no-such-command --now"), InstallationState.FAILED)
        assert "no-such-command" in failed.detail
        assert "not found" in failed.detail

    def test_a_killed_instance_is_healed(self, bench: Bench) -> None:
        desired = bench.desired(instances=2)
        bench.reach(desired, InstallationState.READY)
        victim = listener(desired.ports[1])
        assert victim is not None
        psutil.Process(victim).kill()
        until(lambda: bench.apply(desired), lambda one: one.state is not InstallationState.READY)
        healed = bench.reach(desired, InstallationState.READY)
        assert [one.restarts for one in healed.instances] == [0, 1]
        assert listener(desired.ports[1]) not in (None, victim)

    def test_a_secret_reaches_the_instance_and_no_process_list(self, bench: Bench) -> None:
        secret = "a secret 'with' \"quotes\",\nlines and 100% trouble;"
        desired = replace(bench.desired(), secrets={"DATABASE_URL": secret})
        bench.reach(desired, InstallationState.READY)
        assert get(desired.ports[0], "/DATABASE_URL") == secret
        lines = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
        assert not any("a secret 'with'" in word for line in lines for word in line)

    def test_an_artifact_whose_name_leads_elsewhere_is_refused(self, bench: Bench) -> None:
        desired = replace(bench.desired(), artifacts={"../server.py": SERVER_DIGEST})
        failed = bench.apply(desired)
        assert failed.state is InstallationState.FAILED
        assert "'../server.py'" in failed.detail

    def test_an_instance_that_is_not_healthy_yet_gets_no_endpoint(self, bench: Bench) -> None:
        desired = bench.desired(command=f"sleep 1; {START}")
        early = until(lambda: bench.apply(desired), lambda one: one.state is InstallationState.STARTING)
        assert [one.state for one in early.instances] == [InstanceState.STARTING]
        assert early.healthy == ()


def _soon() -> Health:
    return Health("/healthz", within=timedelta(seconds=1))
