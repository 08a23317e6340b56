"""Where a server's data folder is, and what commands on the same machine find in it."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "TIDEGATE_DATA"


@dataclass(frozen=True, slots=True)
class KnownServer:
    """What a running server wrote into its data folder: where it answers, and which process it is.

    `started` is the process's start time in seconds since 1970, None where the file does not say.
    """

    address: str
    pid: int
    started: float | None


def resolve_data_folder(option: Path | None) -> Path:
    """The data folder, absolute and without links: the option, else TIDEGATE_DATA, else the platform's.

    It need not exist.
    """
    if option is not None:
        return option.expanduser().resolve()
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    return _platform_folder().resolve()


def known_server_file(data: Path) -> Path:
    """The file in which a running server says where it answers."""
    return data / "server.json"


def admin_token_file(data: Path) -> Path:
    """The file with the token that commands on the same machine use."""
    return data / "admin-token"


def server_lock_file(data: Path) -> Path:
    """The file that a server keeps open, and locked, as long as it has the data folder."""
    return data / "server.lock"


def read_known_server(data: Path) -> KnownServer | None:
    """The server that last announced itself in the data folder, None where none did or the file is no such file.

    Raises PermissionError where the file may not be read.
    """
    try:
        document = json.loads(known_server_file(data).read_text(encoding="utf-8"))
        started = document.get("started")
        return KnownServer(str(document["address"]), int(document["pid"]), None if started is None else float(started))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None


def command_for(command: str, data: Path) -> str:
    """`tidegate COMMAND` for that data folder, as a person can type it: with --data only where it is needed."""
    if data == resolve_data_folder(None):
        return f"tidegate {command}"
    return f"tidegate {command} --data {shlex.quote(str(data))}"


def _platform_folder() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/tidegate")
    import platformdirs

    return platformdirs.user_data_path("tidegate", appauthor=False)
