"""Sidecars: containers that run beside a step, such as the database of its tests.

They share a network with the step's container. A step that runs as a process finds each at a free port of the
loopback address. Whether a sidecar takes connections is asked at such a port for either kind of step, because
this machine does not reach a network of containers with every engine.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.model.pipeline import Sidecar
from tidegate.model.quantity import format_duration
from tidegate.runners import container_spec as spec
from tidegate.runners import images
from tidegate.runners.attempt_folder import mark_of
from tidegate.runners.container_spec import SeenContainer, name_of, sidecar_container
from tidegate.runners.engine import Engine, EngineAway, EngineRefused
from tidegate.runners.identity import boot_id
from tidegate.runners.patience import patiently
from tidegate.runners.runner import StepNotStarted

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 1.0
_CLOSED_SECONDS = 0.1
"""A proxy of the engine takes every connection, and closes it at once where nothing listens behind it."""

_LOG_LINES = 20
_LOG_CHARACTERS = 4000


# Arguments: the command, and how often it is tried. An engine may keep something of each command for minutes after its
# end, so that one of them asks many times.
_ASK = """\
tried=0
while said=$(/bin/sh -c "$1" 2>&1); status=$?; [ "$status" != 0 ] && [ "$tried" -lt "$2" ]; do
  tried=$((tried + 1))
  sleep 0.1 || tried=$2
done
printf '%s\\n' "$said"
exit "$status"
"""
_MOST_TRIES = 20
_TRY_SECONDS = 0.3


class SidecarFailed(StepNotStarted):
    """A sidecar could not be used; the message names it and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a step finds its sidecars: variables for its environment, and the network for its container."""

    env: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None


class Sidecars(Protocol):
    """Keeps sidecars beside a step, apart from the agent; `folder` is the one of the step's command."""

    def start(
        self, folder: str, sidecars: Sequence[Sidecar], for_container: bool, check_in: Callable[[], None]
    ) -> Beside:
        """Start them and wait until all are healthy; what an earlier agent left for this folder is removed first.

        `for_container` says that the step runs in a container. `check_in` is called again and again and may raise.
        Raises StepNotStarted. Nothing is left then.
        """

    def fallen(self, folder: str) -> tuple[str, ...]:
        """What to say of the sidecars that have ended by themselves, with the ends of their logs."""

    def remove(self, folder: str) -> None:
        """The step has ended: end and remove them. What cannot be removed now is when the next agent starts."""


@dataclass(slots=True)
class _Started:
    sidecar: Sidecar
    container: str
    until: float
    lacks: str = ""
    """What it lacked to be healthy when it was last asked."""


@dataclass(frozen=True)
class ContainerSidecars:
    """Sidecars in the same engine as steps; `owner` is the agent's, as for `ContainerRunner`."""

    owner: str
    engine: Engine = field(default_factory=Engine)

    def start(
        self, folder: str, sidecars: Sequence[Sidecar], for_container: bool, check_in: Callable[[], None]
    ) -> Beside:
        """See `Sidecars.start`."""
        try:
            self._remove(folder)
            return self._start(folder, sidecars, for_container, check_in)
        except (EngineAway, EngineRefused) as error:
            self.remove(folder)
            raise StepNotStarted(f"the step's services could not be started: {error}") from error
        except BaseException:
            self.remove(folder)
            raise

    def fallen(self, folder: str) -> tuple[str, ...]:
        """See `Sidecars.fallen`."""
        said = []
        with contextlib.suppress(EngineAway, EngineRefused):
            for one in self._containers(folder):
                seen = self.engine.look(one.name)
                if seen is not None and not seen.is_alive:
                    said.append(f"the service {one.labels[spec.SIDECAR]} {self._ended(seen)}")
        return tuple(said)

    def remove(self, folder: str) -> None:
        """See `Sidecars.remove`."""
        try:
            self._remove(folder)
        except (EngineAway, EngineRefused) as error:
            _log.warning("the services of the step in %s could not be removed: %s", folder, error)

    def _start(
        self, folder: str, sidecars: Sequence[Sidecar], for_container: bool, check_in: Callable[[], None]
    ) -> Beside:
        mark = mark_of(folder)
        labels = {spec.OWNER: self.owner, spec.BOOT: boot_id()}
        brought = [images.bring(self.engine, one.image, check_in) for one in sidecars]
        network = name_of(mark)
        self.engine.create_network(network, {**labels, spec.ATTEMPT: mark})
        started = []
        for sidecar, image in zip(sidecars, brought, strict=True):
            check_in()
            container = sidecar_container(sidecar, mark, image.id, labels, network)
            self._run(sidecar, container)
            started.append(_Started(sidecar, container.name, time.monotonic() + sidecar.health.within.total_seconds()))
        self._wait_until_healthy(started, check_in)
        env: dict[str, str] = {}
        for one in started:
            env |= self._variables(one, network if for_container else None)
        return Beside(env, network if for_container else None)

    def _run(self, sidecar: Sidecar, container: spec.ContainerSpec) -> None:
        try:
            self.engine.create(container)
            self.engine.start(container.name)
        except EngineRefused as error:
            raise SidecarFailed(f"the service {_called(sidecar)} could not be started: {error}") from error

    def _wait_until_healthy(self, started: Sequence[_Started], check_in: Callable[[], None]) -> None:
        waiting = list(started)
        while True:
            waiting = [one for one in waiting if not self._is_healthy(one, check_in)]
            if not waiting:
                return
            time.sleep(_POLL_SECONDS)

    def _is_healthy(self, one: _Started, check_in: Callable[[], None]) -> bool:
        """Ask once. Raises SidecarFailed where it has ended, or its time is over."""
        check_in()
        seen = self.engine.look(one.container)
        if seen is None:
            raise SidecarFailed(f"the service {_called(one.sidecar)} was removed by somebody before it was healthy")
        if not seen.is_alive:
            raise SidecarFailed(f"the service {_called(one.sidecar)} {self._ended(seen)}")
        one.lacks = self._lacks(one, seen, check_in)
        if one.lacks and time.monotonic() >= one.until:
            within = format_duration(one.sidecar.health.within)
            raise SidecarFailed(
                f"the service {_called(one.sidecar)} was not healthy within {within}: {one.lacks}; "
                f"{self._log_end(one.container)}"
            )
        return not one.lacks

    def _lacks(self, one: _Started, seen: SeenContainer, check_in: Callable[[], None]) -> str:
        """What it lacks to be healthy, in words; empty where it is."""
        command, port = one.sidecar.health.command, one.sidecar.port
        if command is None:
            listens = _takes_connections(seen.ports.get(port))
            return "" if listens else f"nothing in it takes connections at port {port}"
        left = max(0.0, one.until - time.monotonic())
        tries = min(_MOST_TRIES, int(left / _TRY_SECONDS))
        argv = ("/bin/sh", "-c", _ASK, "sh", command, str(tries))
        try:
            status, said = patiently(lambda: self.engine.run(one.container, argv), check_in, left)
        except TimeoutError:
            return one.lacks or f"`{command}` did not come to an end in it"
        except EngineRefused as error:
            return f"`{command}` could not be run in it: {error}"
        last = said.strip().rpartition("\n")[2]
        return "" if status == 0 else f"`{command}` ended with {status} in it" + (last and f" and said: {last}")

    def _variables(self, one: _Started, network: str | None) -> dict[str, str]:
        seen = self.engine.look(one.container)
        port = one.sidecar.port
        if seen is None or not seen.is_alive:
            raise SidecarFailed(f"the service {_called(one.sidecar)} ended as soon as it was healthy")
        name = variable_prefix(one.sidecar.name)
        if network is None:
            return {f"{name}_HOST": "127.0.0.1", f"{name}_PORT": str(seen.ports[port])}
        # by address: not every engine answers for names in its networks
        return {f"{name}_HOST": seen.addresses[network], f"{name}_PORT": str(port)}

    def _ended(self, seen: SeenContainer) -> str:
        return f"ended with exit status {seen.exit_code}; {self._log_end(seen.name)}"

    def _log_end(self, container: str) -> str:
        with contextlib.suppress(EngineRefused):
            text = self.engine.log_end(container, _LOG_LINES).strip()
            if text:
                return f"the end of its log:\n{text[-_LOG_CHARACTERS:]}"
        return "it wrote no log"

    def _containers(self, folder: str) -> list[SeenContainer]:
        found = self.engine.containers({spec.OWNER: self.owner, spec.ATTEMPT: mark_of(folder)})
        return [one for one in found if spec.SIDECAR in one.labels]

    def _remove(self, folder: str) -> None:
        for one in self._containers(folder):
            self.engine.end(one.name)
        for network in self.engine.networks({spec.OWNER: self.owner, spec.ATTEMPT: mark_of(folder)}):
            self.engine.remove_network(network)


def variable_prefix(name: str) -> str:
    """What the variables of a sidecar begin with: `my-database` gives `MY_DATABASE`."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def _called(sidecar: Sidecar) -> str:
    return f"{sidecar.name} ({sidecar.image})"


def _takes_connections(port: int | None) -> bool:
    if port is None:
        return False
    try:
        with socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS) as connection:
            connection.settimeout(_CLOSED_SECONDS)
            try:
                return connection.recv(1) != b""
            except TimeoutError:
                return True
    except OSError:
        return False
