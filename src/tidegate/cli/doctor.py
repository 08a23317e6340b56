"""`tidegate doctor`: whether this machine can run a server, and what to do where it cannot."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.data_folder import (
    KnownServer,
    admin_token_file,
    command_for,
    read_known_server,
    resolve_data_folder,
)
from tidegate.cli.exit_code import ExitCode
from tidegate.cli.options import DEFAULT_PORT, DataOption, JsonOption
from tidegate.cli.output import Output

_OLDEST_GIT = (2, 30)
"""With `--end-of-options` and protocol version 2."""
_LEAST_BYTES = 1024**3
_SECONDS = 10.0
_PRIVATE = ("admin-token", "agent-token", "secret-key", "tidegate.sqlite3")


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and what to do about it."""

    about: str
    level: Level
    text: str
    remedy: str | None = None


def doctor(
    envoy: Annotated[
        Path | None, typer.Option("--envoy", metavar="PATH", help="The Envoy that the server will be given.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port that the server will be given.")] = (
        DEFAULT_PORT
    ),
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Look at this machine and a data folder, and say what stands in a server's way (then it ends with 1)."""
    output = Output(json)
    findings = tuple(examine(resolve_data_folder(data), envoy, port))
    output.document([{"about": f.about, "level": f.level.value, "text": f.text, "remedy": f.remedy} for f in findings])
    if not json:
        output.table(("about", "level", "found"), ((one.about, one.level.value, one.text) for one in findings))
        for one in findings:
            if one.remedy and one.level is not Level.OK:
                output.next(f"{one.about}: {one.remedy}")
    if any(one.level is Level.PROBLEM for one in findings):
        raise typer.Exit(ExitCode.FAILED)


def examine(data: Path, envoy: Path | None, port: int) -> Iterator[Finding]:
    """Everything that a server needs, one finding each; changes nothing."""
    yield _platform()
    yield _git()
    yield _envoy(envoy)
    yield _supervisor()
    yield _folder(data)
    yield _space(data)
    yield from _private_files(data)
    yield from _channels(data)
    yield from _prometheus(data)
    yield from _port(data, port)
    yield _isolation(data)


def _platform() -> Finding:
    name = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if sys.platform.startswith("linux") or sys.platform == "darwin":
        return Finding("platform", Level.OK, name)
    return Finding("platform", Level.PROBLEM, f"{name} has no local target", "run the server on Linux or macOS")


def _git() -> Finding:
    remedy = f"install git {'.'.join(map(str, _OLDEST_GIT))} or newer"
    try:
        said = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=_SECONDS).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Finding("git", Level.PROBLEM, "the git command is not on this machine", remedy)
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < _OLDEST_GIT:
        return Finding("git", Level.PROBLEM, f"{said or 'no version'} is too old", remedy)
    return Finding("git", Level.OK, said)


def _envoy(given: Path | None) -> Finding:
    from tidegate.routers.envoy_process import EnvoyMissing, envoy_binary

    try:
        return Finding("envoy", Level.OK, str(envoy_binary(given)))
    except EnvoyMissing as error:
        return Finding("envoy", Level.PROBLEM, str(error), "install Envoy 1.40, and name it with --envoy PATH")


def _supervisor() -> Finding:
    if find_spec("supervisor") is None:
        return Finding(
            "supervisor", Level.PROBLEM, "the package supervisor is missing", "install Tidegate with its dependencies"
        )
    return Finding("supervisor", Level.OK, "installed")


def _folder(data: Path) -> Finding:
    nearest = next(folder for folder in (data, *data.parents) if folder.exists())
    there = "exists" if nearest == data else "is made at the first start"
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        text = f"{data}: {nearest} cannot be written to by this user"
        return Finding("data folder", Level.PROBLEM, text, "choose another folder with --data DIR")
    return Finding("data folder", Level.OK, f"{data} ({there})")


def _space(data: Path) -> Finding:
    nearest = next(folder for folder in (data, *data.parents) if folder.is_dir())
    free = shutil.disk_usage(nearest).free
    if free < _LEAST_BYTES:
        text = f"{free / 1024**2:.0f} MiB are free at {nearest}"
        return Finding("disk", Level.WARNING, text, "make room, or choose another folder with --data DIR")
    return Finding("disk", Level.OK, f"{free / 1024**3:.1f} GiB are free")


def _private_files(data: Path) -> Iterator[Finding]:
    for name in _PRIVATE:
        file = data / name
        try:
            others = file.stat().st_mode & 0o077
        except OSError:
            continue
        if others:
            yield Finding("secrets", Level.PROBLEM, f"others may read {file}", f"chmod 600 {file}")


def _channels(data: Path) -> Iterator[Finding]:
    """Whether there is somebody to tell what the server's file says; sends nothing."""
    from tidegate.config import server_yaml
    from tidegate.config.problem import ConfigError
    from tidegate.integrations.apprise_notifier import AppriseNotifier
    from tidegate.integrations.notifier import NotTaken

    try:
        channels = server_yaml.read(data).channels
    except ConfigError as error:
        first = error.problems[0]
        yield Finding("configuration", Level.PROBLEM, str(first), f"correct {data / server_yaml.FILE}")
        return
    except OSError:
        return
    failing = _failing_channels(data) if channels else {}
    for one in channels:
        file, about = data / one.urls_file, f"channel {one.name}"
        try:
            AppriseNotifier(partial(file.read_text, encoding="utf-8")).check()
        except NotTaken as error:
            yield Finding(about, Level.PROBLEM, str(error), f"write Apprise addresses into {file}, one a line")
            continue
        if file.stat().st_mode & 0o077:
            yield Finding(about, Level.PROBLEM, f"others may read {file}", f"chmod 600 {file}")
        elif one.name in failing:
            text = f"messages do not arrive: {failing[one.name]}"
            yield Finding(about, Level.WARNING, text, f"tidegate notify test {one.name}")
        else:
            yield Finding(about, Level.OK, f"its addresses in {file} can be read")


def _prometheus(data: Path) -> Iterator[Finding]:
    """Whether Prometheus answers, where the server's file names one."""
    from tidegate.config import server_yaml
    from tidegate.config.problem import ConfigError
    from tidegate.metrics.prometheus import PrometheusSource
    from tidegate.metrics.source import SourceFailed

    try:
        configured = server_yaml.read(data).prometheus
    except (ConfigError, OSError):
        return  # said of the file already
    if configured is None:
        return
    token = data / configured.token_file if configured.token_file else None
    if token and token.exists() and token.stat().st_mode & 0o077:
        yield Finding("prometheus", Level.PROBLEM, f"others may read {token}", f"chmod 600 {token}")
        return
    try:
        PrometheusSource(configured.url, partial(_token_in, token) if token else None).check()
    except SourceFailed as error:
        remedy = f"until it answers, metrics that ask it have no data; its address is in {data / server_yaml.FILE}"
        yield Finding("prometheus", Level.WARNING, f"{configured.url}: {error}", remedy)
    else:
        yield Finding("prometheus", Level.OK, f"{configured.url} answers")


def _token_in(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def _failing_channels(data: Path) -> dict[str, str]:
    """Why messages do not arrive, by channel, where a server runs that can be asked."""
    from tidegate.cli.client import find_client
    from tidegate.cli.exit_code import CommandFailed

    try:
        found = find_client(data).get("notifications")
    except CommandFailed:
        return {}
    return {one["name"]: one["failing_because"] for one in found if one["failing_since"]}


def _port(data: Path, port: int) -> Iterator[Finding]:
    try:
        known = read_known_server(data)
    except PermissionError:
        yield Finding(
            "server", Level.PROBLEM, f"{data} belongs to another user", "run the command as the server's user"
        )
        return
    if known is not None and _answers(known):
        token = "" if admin_token_file(data).exists() else ", but there is no admin-token"
        yield Finding("server", Level.WARNING if token else Level.OK, f"it answers at {known.address}{token}")
        return
    start = command_for("server", data)
    if known is not None:
        yield Finding("server", Level.WARNING, f"it was at {known.address} and does not answer", start)
    else:
        yield Finding("server", Level.OK, f"none runs on {data}", start)
    yield _free(port)


def _free(port: int) -> Finding:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            remedy = "start the server with --port 0 for a free one"
            return Finding("port", Level.PROBLEM, f"127.0.0.1:{port} cannot be used: {error.strerror}", remedy)
    return Finding("port", Level.OK, f"127.0.0.1:{port} is free" if port else "a free one is taken")


def _answers(known: KnownServer) -> bool:
    from tidegate.cli.connection import Connection, ServerAway, checked_server_url

    try:
        return Connection(checked_server_url(known.address)).request("GET", "/healthz", seconds=3).status == 200
    except (ServerAway, ValueError):
        return False


def _isolation(data: Path) -> Finding:
    from tidegate.security.isolation import decide_isolation

    isolation = decide_isolation(data)
    if isolation.run_as is None:
        remedy = "build only repositories that you trust, or run the server as root with a folder that others may pass"
        return Finding("isolation", Level.WARNING, isolation.reason, remedy)
    return Finding("isolation", Level.OK, isolation.reason)
