"""Who listens on a port of this machine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port; its id is None where the system does not tell us."""

    pid: int | None
    name: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.pid is not None else "a process of another user"


def ports_of_tree(pid: int) -> frozenset[int]:
    """The TCP ports on which a process or one of its descendants listens."""
    ports = set()
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                ports |= {
                    one.laddr.port for one in process.net_connections(kind="tcp") if one.status == psutil.CONN_LISTEN
                }
    return frozenset(ports)


def holder_of(port: int) -> Holder | None:
    """Who listens on a TCP port, None where nobody does."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS shows everybody's connections to root only
        return None
    for one in connections:
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
            return Holder(one.pid, _name(one.pid))
    return None


def _name(pid: int | None) -> str:
    try:
        return "unknown" if pid is None else psutil.Process(pid).name()
    except psutil.Error:
        return "ended"
