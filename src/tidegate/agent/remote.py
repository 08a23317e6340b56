"""Where commits are fetched from: as the lease says, or through the agent's own server, as the agent."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tidegate.model.lease import THROUGH_SERVER

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_STALLED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Remote:
    """What git fetches from; `env` is what it needs besides, tokens included, which no command line shows."""

    url: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_server: bool = False


@dataclass(frozen=True, slots=True)
class Remotes:
    """Tells the remote of a lease's source, for an agent of the server at `url`."""

    url: str
    token: Callable[[], str] = field(repr=False)

    def of(self, source: str) -> Remote:
        """The remote of a source. Raises ValueError for a path that is none."""
        if not source.startswith(THROUGH_SERVER):
            return Remote(source)
        path = source.removeprefix(THROUGH_SERVER)
        if not re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", path):
            raise ValueError(f"{path!r} is not a path of a repository on the server")
        url = self.url.rstrip("/") + path
        settings = {
            # for this one repository, so that the token goes nowhere else
            f"http.{url}.extraHeader": f"Authorization: Bearer {self.token()}",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": str(_STALLED_SECONDS),
        }
        return Remote(url, {**_settings(settings), **_surroundings(url)}, is_server=True)


def is_loopback(url: str) -> bool:
    """Whether the server is on this machine, where no proxy is asked."""
    return urlsplit(url).hostname in LOOPBACK


def _settings(values: Mapping[str, str]) -> dict[str, str]:
    """Git's configuration by its environment (since 2.31)."""
    env = {"GIT_CONFIG_COUNT": str(len(values))}
    for index, (name, value) in enumerate(values.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
    return env


def _surroundings(url: str) -> dict[str, str]:
    """How this machine reaches others: the same for git as for all else that the agent asks."""
    env = {}
    if certificates := os.environ.get("SSL_CERT_FILE"):
        env["GIT_SSL_CAINFO"] = certificates
    if not is_loopback(url):
        names = [name for proxy in _PROXIES for name in (proxy, proxy.upper())]
        env |= {name: os.environ[name] for name in names if name in os.environ}
    return env
