"""One server a data folder: the lock, and the file by which commands find the server."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

KNOWN = "server.json"


class DataFolderInUse(Exception):
    """Another server has the data folder; the message says which and how to end it."""


@contextmanager
def only_server(data: Path) -> Iterator[None]:
    """Hold the data folder for one server. Raises DataFolderInUse."""
    with (data / "server.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFolderInUse(
                f"another server runs on {data} ({_who(data)}); stop it with: tidegate down --data {data}"
            ) from None
        yield


def announce(data: Path, address: str) -> None:
    """Write where this server answers, for commands on the same machine."""
    own = psutil.Process()
    document = {"address": address, "pid": own.pid, "started": own.create_time()}
    new = data / f".{KNOWN}.new"
    new.write_text(json.dumps(document))
    new.chmod(0o600)
    new.replace(data / KNOWN)


def withdraw(data: Path) -> None:
    """Take the file away again, if it is this server's."""
    try:
        if json.loads((data / KNOWN).read_text())["pid"] == os.getpid():
            (data / KNOWN).unlink()
    except (OSError, ValueError, KeyError):
        return


def _who(data: Path) -> str:
    try:
        known = json.loads((data / KNOWN).read_text())
        return f"process {known['pid']}, {known['address']}"
    except (OSError, ValueError, KeyError):
        return "it has not said where yet"
