"""What a container is made of: values that say everything about it before an engine is asked for one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.model.lease import StepCommand
from tidegate.model.pipeline import Sidecar

OWNER = "tidegate.owner"
"""The label with the folder of the agent that a container or network belongs to."""

ATTEMPT = "tidegate.attempt"
"""The label with the mark of the command that a container or network is there for."""

BOOT = "tidegate.boot"
"""The label with the time since the start of the machine in which it was made."""

SIDECAR = "tidegate.service"
"""The label with a sidecar's name."""

INSIDE = "/.tidegate"
"""Where a step's container has the files by which its shell and the agent speak."""

SIDECAR_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
"""What the usual images of databases need to begin as root and go on as a user of their own."""

# Arguments: the command. It is the container's first process, so the container ends with it.
# A container that is started again (by whomever) does nothing: the command runs at most once.
# Gentle signals are for the command alone: the shell stays to note the status, `cat` to carry the last lines.
# At last it stays as long as the command's leftovers do, which the runner asks to end before it ends them by force.
SHIM = f"""\
trap : TERM INT HUP QUIT
umask 022
[ ! -s {INSIDE}/progress ] || exit 0
echo begun >> {INSIDE}/progress || exit 1
exec </dev/null 2>>{INSIDE}/output 3>>{INSIDE}/exit
{{ trap : TERM INT HUP QUIT; "$@" 2>&1 3>&-; echo "$?" >&3; }} | {{ trap '' TERM INT HUP QUIT; exec cat >&2 3>&-; }}
echo carried >> {INSIDE}/progress
while kill -0 -1 && (trap '' TERM INT HUP QUIT; exec sleep 0.05); do :; done 2>/dev/null
echo empty >> {INSIDE}/progress
"""

SIGNAL_ALL = ("/bin/sh", "-c", "kill -TERM -1; kill -CONT -1")
"""Run beside the first process, it reaches every other one; not the first, which has to stay."""

SCRIPT, PROGRESS, EXIT, OUTPUT = "script", "progress", "exit", "output"
BEGUN, CARRIED, EMPTY = "begun", "carried", "empty"
"""What the shell says of its progress: the command begins, all of its output is kept, nothing of it is left."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine, seen in a container."""

    source: str
    inside: str
    writable: bool


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to be made. All capabilities but those named are dropped, and none can be gained."""

    name: str
    image: str
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    """Empty: the image's own."""

    command: tuple[str, ...] = ()
    """Empty, without an entrypoint: the image's own."""

    user: str | None = None
    cwd: str | None = None
    binds: tuple[Bind, ...] = ()
    hostname: str | None = None
    network: str | None = None
    alias: str | None = None
    """What others in the network may call it, where the engine answers for names."""

    published: int | None = None
    """The port that is reached at a free one of this machine's loopback address."""

    capabilities: tuple[str, ...] = ()
    most_processes: int = 4096


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """A container as the engine sees it."""

    name: str
    state: str
    """As Docker calls it: created, running, paused, restarting, removing, exited or dead."""

    exit_code: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Network → address in it."""

    ports: Mapping[int, int] = field(default_factory=dict)
    """Published port → where it is at the loopback address."""

    @property
    def was_started(self) -> bool:
        """Whether anything in it ever ran."""
        return self.state not in _NEVER_STARTED

    @property
    def is_alive(self) -> bool:
        """Whether anything in it may run."""
        return self.state not in (*_NEVER_STARTED, "exited", "stopped", "dead")


_NEVER_STARTED = ("created", "configured", "initialized")


def name_of(mark: str, *more: str) -> str:
    """The name of a container or network."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(("tidegate", mark, *more)))


def step_container(
    command: StepCommand, mark: str, image: str, labels: Mapping[str, str], user: str, most_processes: int = 4096
) -> ContainerSpec:
    """The container of a step's command; `image` is what the engine calls the image that the command names.

    Its output goes to a file and not through the engine's log: an engine's log may be kept in a form that cuts lines,
    replaces bytes that are no text, throws the oldest lines away, or may not be kept at all.
    """
    files = tuple(
        Bind(f"{command.folder}/{name}", f"{INSIDE}/{name}", writable=name != SCRIPT)
        for name in (SCRIPT, PROGRESS, EXIT, OUTPUT)
    )
    return ContainerSpec(
        name=name_of(mark),
        image=image,
        labels={**labels, ATTEMPT: mark},
        env=command.env,
        entrypoint=("/bin/sh", "-c", SHIM, "sh", "/bin/sh", "-eu", f"{INSIDE}/{SCRIPT}"),
        user=user,
        cwd=command.cwd,
        binds=files + tuple(Bind(one.path, one.path, one.writable) for one in command.mounts),
        hostname="tidegate",  # a name of its own each time would be one more thing that differs
        network=command.network,
        most_processes=most_processes,
    )


def sidecar_container(
    sidecar: Sidecar, mark: str, image: str, labels: Mapping[str, str], network: str
) -> ContainerSpec:
    """The container of a sidecar. It runs as the image's own user, apart from all files of this machine."""
    return ContainerSpec(
        name=name_of(mark, sidecar.name),
        image=image,
        labels={**labels, ATTEMPT: mark, SIDECAR: sidecar.name},
        env=sidecar.env,
        command=tuple(shlex.split(sidecar.command or "")),
        network=network,
        alias=re.sub(r"[^A-Za-z0-9-]", "-", sidecar.name),
        published=sidecar.port,
        capabilities=SIDECAR_CAPABILITIES,
    )
