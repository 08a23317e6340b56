"""A container engine of this machine, Docker or Podman, asked by the Docker API.

The library for it is imported at the first question, because most agents never ask one.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.runners.container_spec import Bind, ContainerSpec, SeenContainer

if TYPE_CHECKING:
    from docker import APIClient

_ANSWER_SECONDS = 60
_PATIENT_SECONDS = 3600
_LOG_BYTES = "10m"


class EngineAway(Exception):
    """No container engine answers; the message says what was tried and what to do."""


class NoEngine(EngineAway):
    """There is none on this machine, as far as it can be seen."""


class EngineRefused(Exception):
    """The engine did not do what it was asked; the message is its own."""


class Missing(EngineRefused):
    """What the engine was asked about is not there."""


@dataclass
class Engine:
    """The engine at `host` (a URL such as `unix:///run/podman/podman.sock`).

    Without one it is the one that DOCKER_HOST names, or whose socket is at a usual place. May be used from several
    threads. Its methods raise EngineAway and EngineRefused.
    """

    host: str | None = None
    _version: str | None = field(default=None, repr=False, compare=False)
    """Of the API, as the engine speaks it; None before it was asked."""

    _of_thread: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @cached_property
    def is_rootless(self) -> bool:
        """Whether root in its containers is the engine's own, unprivileged user."""
        with self._asking() as client:
            return any("rootless" in option for option in client.info().get("SecurityOptions") or ())

    def image(self, name: str) -> tuple[str, list[str]] | None:
        """The id of an image on this machine and its names by digest, None where it is not there."""
        with contextlib.suppress(Missing), self._asking() as client:
            seen: Mapping[str, Any] = client.inspect_image(name)  # type: ignore[no-untyped-call]
            return str(seen["Id"]), list(seen.get("RepoDigests") or ())
        return None

    def pull(self, name: str) -> None:
        """Bring an image from its registry, however long that takes."""
        from docker.utils import parse_repository_tag

        with self._asking(_PATIENT_SECONDS) as client:
            repository, tag = parse_repository_tag(name)
            for line in client.pull(repository, tag or "latest", stream=True, decode=True):
                if "error" in line:
                    raise EngineRefused(" ".join(str(line["error"]).split()))

    def create(self, spec: ContainerSpec) -> None:
        """Make a container, without starting it."""
        with self._asking() as client:
            client.create_container(
                spec.image,
                name=spec.name,
                labels=dict(spec.labels),
                environment=dict(spec.env),
                entrypoint=list(spec.entrypoint) or None,
                command=list(spec.command) or None,
                user=spec.user,
                working_dir=spec.cwd,
                hostname=spec.hostname,
                ports=[spec.published] if spec.published else None,
                host_config=_host_config(client, spec),
                networking_config=_networking_config(client, spec),
            )

    def start(self, name: str) -> None:
        """Start a container; one that runs is left as it is."""
        with self._asking() as client:
            client.start(name)

    def look(self, name: str) -> SeenContainer | None:
        """The container of that name, None where there is none."""
        with contextlib.suppress(Missing), self._asking() as client:
            return _seen(client.inspect_container(name))
        return None

    def containers(self, labels: Mapping[str, str]) -> list[SeenContainer]:
        """The containers with these labels, whatever their state; without exit status, addresses and ports."""
        with self._asking() as client:
            return [
                SeenContainer(one["Names"][0].lstrip("/"), str(one.get("State", "")), labels=one.get("Labels") or {})
                for one in client.containers(all=True, filters=_having(labels))
            ]

    def run(self, name: str, argv: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container that runs, to its end; gives its exit status and what it said."""
        # not apart from this call: a Podman of 2022 never learns how such a command ended
        with self._asking(_PATIENT_SECONDS) as client:
            execution = client.exec_create(name, list(argv))["Id"]
            said: bytes = client.exec_start(execution) or b""
            status = client.exec_inspect(execution)["ExitCode"]
            return int(status or 0), said.decode(errors="replace")

    def launch(self, name: str, argv: Sequence[str], user: str) -> None:
        """Start a command in a container that runs, and leave it to itself."""
        with self._asking() as client:
            client.exec_start(client.exec_create(name, list(argv), user=user)["Id"], detach=True)

    def resume(self, name: str) -> None:
        """Let a paused container go on."""
        with self._asking() as client:
            client.unpause(name)

    def remove(self, name: str) -> bool:
        """Remove a container that does not run, so that it never will; gives False where it does or did."""
        with contextlib.suppress(Missing), self._asking() as client:
            try:
                client.remove_container(name, v=True)
            except Exception:
                # what an engine says of a container that runs differs from one to the other
                if _seen(client.inspect_container(name)).was_started:
                    return False
                raise
        return True

    def end(self, name: str) -> None:
        """Kill all of a container and remove it; one that is not there is as wanted."""
        with contextlib.suppress(EngineRefused), self._asking() as client:
            client.kill(name, "SIGKILL")
        with contextlib.suppress(Missing), self._asking() as client:
            client.remove_container(name, v=True, force=True)

    def log_end(self, name: str, lines: int) -> str:
        """The last lines that a container wrote to its streams."""
        with contextlib.suppress(Missing), self._asking() as client:
            return client.logs(name, stdout=True, stderr=True, tail=lines).decode(errors="replace")
        return ""

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a network of its own for a few containers."""
        with self._asking() as client:
            client.create_network(name, driver="bridge", labels=dict(labels), check_duplicate=True)

    def networks(self, labels: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
        """The networks with these labels: id → labels."""
        with self._asking() as client:
            return {one["Id"]: one.get("Labels") or {} for one in client.networks(filters=_having(labels))}

    def remove_network(self, network: str) -> None:
        """Remove a network, in which no container may be any more."""
        with contextlib.suppress(Missing), self._asking() as client:
            client.remove_network(network)

    @contextlib.contextmanager
    def _asking(self, seconds: int = _ANSWER_SECONDS) -> Iterator[APIClient]:
        """This thread's connection, which may be silent for so long; what goes wrong is raised in our words."""
        from docker.errors import APIError, DockerException, NotFound
        from requests.exceptions import RequestException

        host = self.host or find_host()
        try:
            yield self._client(host, seconds)
        except NotFound as error:
            raise Missing(_said(error)) from error
        except APIError as error:
            raise EngineRefused(_said(error)) from error
        except (RequestException, DockerException) as error:
            raise EngineAway(
                f"the container engine at {host} does not answer ({_innermost(error)}); start it, or set DOCKER_HOST "
                "for the agent to where it is"
            ) from error

    def _client(self, host: str, seconds: int) -> APIClient:
        client: APIClient | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._connect(host, self._version or "1.41")
            if self._version is None:
                # not by its `/version`: for that Podman asks four programs, and it takes half a second
                answer = client.get(f"{client.base_url}/_ping", timeout=seconds)
                self._version = answer.headers.get("Api-Version") or "auto"
                client = self._connect(host, self._version)
            self._of_thread.client = client
        client.timeout = seconds
        return client

    def _connect(self, host: str, version: str) -> APIClient:
        from docker import APIClient
        from docker.utils import kwargs_from_env

        # with DOCKER_HOST come the names of the certificates for an engine that is asked over TLS
        tls = kwargs_from_env().get("tls", False) if self.host is None else False
        return APIClient(base_url=host, version=version, tls=tls)


def find_host() -> str:
    """Where this machine's engine is. Raises NoEngine."""
    named = os.environ.get("DOCKER_HOST")
    if named:
        return named
    for socket in usual_sockets():
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(socket.stat().st_mode):
                return f"unix://{socket}"
    places = ", ".join(str(one) for one in usual_sockets())
    raise NoEngine(
        f"no container engine is on this machine: DOCKER_HOST is not set for the agent, and there is no socket at "
        f"{places}; install Docker, or Podman (`systemctl enable --now podman.socket`), or set DOCKER_HOST"
    )


def usual_sockets() -> list[Path]:
    """Where Docker and Podman have their sockets: the machine's first, then the user's own."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    return [
        Path("/var/run/docker.sock"),
        Path("/run/podman/podman.sock"),
        runtime / "docker.sock",
        runtime / "podman" / "podman.sock",
        Path.home() / ".docker" / "run" / "docker.sock",
    ]


def _host_config(client: APIClient, spec: ContainerSpec) -> Any:
    from docker.types import LogConfig

    return client.create_host_config(
        binds=[_bind(one) for one in spec.binds],
        network_mode=spec.network,
        port_bindings={spec.published: ("127.0.0.1", None)} if spec.published else None,
        cap_drop=["ALL"],
        cap_add=list(spec.capabilities) or None,
        security_opt=["no-new-privileges"],
        pids_limit=spec.most_processes,
        # where the engine gives containers other uids, files of this machine would belong to strangers
        userns_mode="host" if spec.binds else None,
        log_config=LogConfig(type="json-file", config={"max-size": _LOG_BYTES}),
    )


def _networking_config(client: APIClient, spec: ContainerSpec) -> Any:
    if spec.network is None:
        return None
    aliases = [spec.alias] if spec.alias else None
    endpoints: Any = {spec.network: client.create_endpoint_config(aliases=aliases)}
    return client.create_networking_config(endpoints)


def _bind(one: Bind) -> str:
    # `z` lets containers have it where SELinux is in force, and is nothing elsewhere
    return f"{one.source}:{one.inside}:{'rw' if one.writable else 'ro'},z"


def _having(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {"label": [f"{name}={value}" for name, value in labels.items()]}


def _seen(inspected: Mapping[str, Any]) -> SeenContainer:
    settings = inspected.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    published = settings.get("Ports") or {}
    return SeenContainer(
        name=str(inspected["Name"]).lstrip("/"),
        state=str(inspected["State"]["Status"]),
        exit_code=int(inspected["State"].get("ExitCode") or 0),
        labels=(inspected.get("Config") or {}).get("Labels") or {},
        addresses={name: str(one.get("IPAddress") or "") for name, one in networks.items()},
        ports={int(port.split("/")[0]): int(where[0]["HostPort"]) for port, where in published.items() if where},
    )


def _said(error: Exception) -> str:
    said = getattr(error, "explanation", None) or error
    return " ".join(str(said).split())


def _innermost(error: BaseException) -> str:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return str(error) or type(error).__name__
