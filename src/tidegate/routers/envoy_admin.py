"""The client of Envoy's admin interface."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.installation import Endpoint

_LIMIT_SECONDS = 0.5


class EnvoyAway(ConnectionError):
    """Envoy does not answer, or not in a way that could be understood; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Host:
    """An instance as Envoy knows it, with the requests that it has in flight (a WebSocket is one).

    One that could not be reached several times in a row is not `reachable`, and gets no requests for some seconds.
    """

    endpoint: Endpoint
    reachable: bool
    requests_active: int


@dataclass(frozen=True, slots=True)
class ListenerState:
    """Whether a placement's port is open at `port`, and why the last try to open or change it failed."""

    port: int | None
    error: str = ""


class EnvoyAdmin:
    """Asks the Envoy whose admin interface is the unix socket at `socket`. Every method raises EnvoyAway."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def is_live(self) -> bool:
        """Whether Envoy has read its files and serves."""
        return self.read("/ready").startswith("LIVE")

    def hosts(self, deployments: Iterable[DeploymentId]) -> dict[str, tuple[Host, ...]]:
        """The hosts of each instance set of these deployments that Envoy has taken on, by the set's name."""
        query = {"format": "json", "filter": f"^({_any_of(deployments)})~"}
        found = self._ask("/clusters", query).get("cluster_statuses", [])
        return {one["name"]: tuple(map(_host, one.get("host_statuses", []))) for one in found}

    def routes_version(self) -> str:
        """The version of the routes by which new requests go; empty where there are none."""
        for found in self._ask("/config_dump", {"resource": "dynamic_route_configs", "mask": "version_info"}).get(
            "configs", []
        ):
            version: str = found.get("version_info", "")
            return version
        return ""

    def listener(self, placement: PlacementId) -> ListenerState | None:
        """How a placement's listener is, None where Envoy knows of none."""
        query = {"resource": "dynamic_listeners", "name_regex": f"^{_any_of([placement])}$"}
        for found in self._ask("/config_dump", query).get("configs", []):
            active = found.get("active_state", {}).get("listener", {}).get("address", {}).get("socket_address", {})
            return ListenerState(active.get("port_value"), found.get("error_state", {}).get("details", ""))
        return None

    def read(self, path: str) -> str:
        """The text of a page, with its query in `path`."""
        connection = _UnixConnection(self._socket)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            why = str(error) or type(error).__name__
            raise EnvoyAway(f"Envoy does not answer at {self._socket} ({why}); is it running?") from error
        finally:
            connection.close()
        if answer.status != 200 and not path.startswith("/ready"):
            raise EnvoyAway(f"Envoy answered {answer.status} to {path} at {self._socket}: {text.strip()[:200]}")
        return text

    def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        text = self.read(f"{path}?{urlencode(query)}")
        try:
            answer: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise EnvoyAway(f"Envoy's answer to {path} at {self._socket} is not JSON: {text[:200]}") from error
        return answer


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; the standard library keeps a question at a tenth of a millisecond."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_LIMIT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)


def _host(found: dict[str, Any]) -> Host:
    address = found["address"]["socket_address"]
    active = next((int(one.get("value", 0)) for one in found.get("stats", []) if one["name"] == "rq_active"), 0)
    reachable = not found["health_status"].get("failed_outlier_check", False)
    return Host(Endpoint(address["address"], address["port_value"]), reachable, active)
