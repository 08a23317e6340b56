"""Asking supervisord: XML-RPC over its unix socket, with a time limit."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

SHUTDOWN_STATE = 6
BAD_NAME = 10
SPAWN_ERROR = 50
ALREADY_STARTED = 60
NOT_RUNNING = 70
ALREADY_ADDED = 90
STILL_RUNNING = 91
"""Fault codes of supervisord (supervisor.xmlrpc.Faults)."""


class SupervisorAway(Exception):
    """supervisord does not answer; the message says where it was asked and what happened."""


def ask(socket_path: Path, method: str, *arguments: object, limit_seconds: float = 5.0) -> Any:
    """What supervisord answers to `supervisor.<method>`.

    Raises SupervisorAway, or xmlrpc.client.Fault where it refused.
    """
    transport = _UnixTransport(socket_path, limit_seconds)
    try:
        with xmlrpc.client.ServerProxy("http://supervisord/RPC2", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == SHUTDOWN_STATE:
            raise SupervisorAway(f"supervisord at {socket_path} is ending") from fault
        raise
    except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
        raise SupervisorAway(f"supervisord does not answer at {socket_path}: {error}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, limit_seconds: float) -> None:
        super().__init__("supervisord", timeout=limit_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, limit_seconds: float) -> None:
        super().__init__()
        self._path = path
        self._limit_seconds = limit_seconds

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, self._limit_seconds)
