"""The rehearsal's server, and what is done to it from outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from tidegate.demo.server_process import DemoServer, start_server
from tidegate.routers.envoy_process import admin_socket_path
from tidegate.supervision.supervisor import Supervisor

Found = TypeVar("Found")

LOOK_EVERY_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""How long a server that was killed may take to answer again."""


class RehearsalFailed(Exception):
    """The rehearsal cannot go on; the message says why."""


class RehearsalServer:
    """A server on a folder of its own, asked as its administrator; it bears with one that was killed."""

    def __init__(self, data: Path, configuration: str) -> None:
        self._data = data
        self._server: DemoServer = start_server(data, configuration)
        self._client = self._server.client()

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._server.address

    def get(self, path: str, **query: Any) -> Any:
        """The value at a path. Raises RehearsalFailed."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._value(self._client.get(path, params=query))
            except httpx.TransportError as error:
                if time.monotonic() > give_up_at:
                    raise RehearsalFailed(f"the rehearsal's server does not answer: {error}") from error
                time.sleep(LOOK_EVERY_SECONDS)

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Do something. Raises RehearsalFailed."""
        return self._value(self._client.request(method, path, json=body))

    def wait(self, look: Callable[[], Found | None], seconds: float) -> Found | None:
        """What `look` gives first, None where that is nothing for so long."""
        give_up_at = time.monotonic() + seconds
        while (found := look()) is None and time.monotonic() < give_up_at:
            time.sleep(LOOK_EVERY_SECONDS)
        return found

    def kill(self) -> None:
        """End the server as a power cut does; what it deployed goes on."""
        self._server.process.kill()
        self._server.process.wait()

    def start_again(self) -> None:
        """Start it where it was. Raises DemoFailed."""
        self._server = start_server(self._data, port=urlsplit(self.address).port or 0)

    def kill_agent(self) -> None:
        """End the agent, not what it performs."""
        pid = Supervisor(self._data).state("agent").pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def stop_figures(self) -> None:
        """Have the router's figures be away: nobody answers where they are asked for."""
        admin = admin_socket_path(self._data / "run")
        admin.rename(admin.with_suffix(".away"))

    def go_on_with_figures(self) -> None:
        """Have them be there again."""
        admin = admin_socket_path(self._data / "run")
        if (away := admin.with_suffix(".away")).exists():
            away.rename(admin)

    def stop_all(self) -> None:
        """Stop it and all that it started. Raises DemoFailed."""
        self.go_on_with_figures()
        self._client.close()
        self._server.stop_all()

    def _value(self, answer: httpx.Response) -> Any:
        if answer.is_error:
            raise RehearsalFailed(f"{answer.request.url.path}: {answer.text[:300]}")
        return answer.json() if answer.content else None
