"""The composition of a server: which adapters it is made of, in a data folder."""

from __future__ import annotations

import os
import sys
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tidegate.artifacts.folder import FolderStore
from tidegate.cli.dead_man import dead_mans_notes
from tidegate.cli.own_environment import HANDED_ON, own_environment
from tidegate.config import server_yaml
from tidegate.engine.clock import SystemClock
from tidegate.engine.ids import new_ulid
from tidegate.engine.parts import Parts, Settings
from tidegate.engine.repositories import Mirrors
from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.live_methods import MethodJudge
from tidegate.metrics.envoy import EnvoyMetrics
from tidegate.model.environment import ServerConfiguration
from tidegate.routers.dead_man_notes import DeadManNotes
from tidegate.routers.envoy import EnvoyRouter
from tidegate.routers.envoy_admin import EnvoyAdmin
from tidegate.routers.envoy_process import admin_socket_path, envoy_command, prepare_envoy
from tidegate.security.isolation import Isolation, decide_isolation, make_passable, make_private
from tidegate.security.secret_box import SecretBox
from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate
from tidegate.supervision.program import Program
from tidegate.supervision.supervisor import Supervisor
from tidegate.targets.local import LocalTarget
from tidegate.targets.ports import bindable_on_loopback, free_port

PLACEMENT_PORTS = range(18000, 20000)
INSTANCE_PORTS = range(20000, 30000)
"""Below the ports that operating systems give to outgoing connections."""

ENVOY = "envoy"
AGENT = "agent"


class LoopbackPorts:
    """Ports of this machine that nobody listens on.

    Each data folder has its own place to begin: two servers would otherwise want the same ports, and one of them finds
    its own taken when it comes back from a pause.
    """

    def __init__(self, data: Path) -> None:
        self._begin = zlib.crc32(os.fsencode(data.resolve()))

    def for_placement(self, taken: frozenset[int]) -> int:
        """A port for a placement's address."""
        return free_port(taken, PLACEMENT_PORTS, self._begin, bindable_on_loopback)

    def for_instance(self, taken: frozenset[int]) -> int:
        """A port for an instance."""
        return free_port(taken, INSTANCE_PORTS, self._begin, bindable_on_loopback)


@dataclass(frozen=True, slots=True)
class ServerParts:
    """A server's adapters and where they keep their things."""

    data: Path
    configuration: ServerConfiguration
    isolation: Isolation
    supervisor: Supervisor
    artifacts: FolderStore
    mirrors: Mirrors
    secrets: SecretBox
    dead_man: DeadManNotes
    engine: Parts


def compose(data: Path, database_url: str | None) -> ServerParts:
    """Make the folders and adapters of a server. Raises ConfigError, StoreUnavailable or OSError."""
    make_passable(data)
    private = ("run", "git", "artifacts", "router", "logs")
    for name in private:
        make_private(data / name)
    configuration = server_yaml.read(data)
    isolation = decide_isolation(data)
    database = Database(database_url or sqlite_url(_private_database(data)))
    migrate(database)
    supervisor = Supervisor(data)
    artifacts = FolderStore(data / "artifacts")
    mirrors = Mirrors(data / "git")
    secrets = SecretBox(data / "secret-key")
    clock = SystemClock()
    admin = EnvoyAdmin(admin_socket_path(data / "run"))
    dead_man = dead_mans_notes(data)
    parts = Parts(
        database=database,
        clock=clock,
        new_id=new_ulid,
        environments=configuration.environments,
        target=LocalTarget(data, supervisor, artifacts, isolation.run_as, clock.now),
        router=EnvoyRouter(data / "router", admin, clock.now),
        metrics=EnvoyMetrics(admin),
        judge=MethodJudge(ComparisonJudge()),
        secrets=secrets,
        ports=LoopbackPorts(data),
        sources=mirrors,
        settings=Settings(batch=configuration.batch),
        trains=configuration.trains,
        dead_man=dead_man,
    )
    return ServerParts(data, configuration, isolation, supervisor, artifacts, mirrors, secrets, dead_man, parts)


def _private_database(data: Path) -> Path:
    """The database's file for the server's own user alone; SQLite gives what it keeps beside it the same mode."""
    file = data / "tidegate.sqlite3"
    file.touch(mode=0o600)
    for part in (file, *data.glob(f"{file.name}-*")):
        part.chmod(0o600)
    return file


def envoy_program(data: Path, binary: Path) -> Program:
    """Envoy, kept alive apart from the server; its files are written so that it can begin.

    A server that is started from another shell leaves the one that runs alone.
    """
    prepare_envoy(data / "router")
    env = own_environment()
    return Program(
        name=ENVOY,
        command=envoy_command(binary, data / "router", admin_socket_path(data / "run")),
        cwd=data / "router",
        log=data / "logs" / "envoy.log",
        env=env,
        inherited=frozenset(HANDED_ON),
    )


def agent_program(data: Path, address: str, isolation: Isolation) -> Program:
    """The local agent, kept alive apart from the server; its process holds the dead man as well."""
    command = [sys.executable, "-m", "tidegate.cli.main", "agent"]
    command += ["--server", address, "--token-file", str(data / "agent-token"), "--folder", str(data / "agent")]
    command += ["--dead-man", str(data)]
    if isolation.run_as is not None:
        command += ["--run-as", str(isolation.run_as)]
    return Program(
        name=AGENT,
        command=tuple(command),
        cwd=data,
        log=data / "logs" / "agent.log",
        # an agent of another version is replaced: its steps go on, and the new one takes them over
        env={**own_environment(*_CONTAINER_ENGINE), "TIDEGATE_VERSION": version("tidegate")},
    )


_CONTAINER_ENGINE = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "XDG_RUNTIME_DIR")
"""Where the agent finds the container engine, and how it may pull images."""
