"""The agent's own folder, which one agent uses at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_PASSABLE = 0o711


class AgentAlreadyRuns(Exception):
    """Another agent uses the folder."""


def make_folder(folder: Path) -> None:
    """The agent's folder; steps' users may pass through it to what is theirs, but list nothing."""
    os.umask(0o022)
    for path in (folder, *(folder / name for name in ("attempts", "checkouts", "homes", "tmp"))):
        path.mkdir(mode=_PASSABLE, parents=True, exist_ok=True)
        path.chmod(_PASSABLE)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Use the folder alone. Raises AgentAlreadyRuns."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AgentAlreadyRuns(
                f"an agent (process {lock.read().strip()}) runs in {folder} already; stop it first, or give this "
                "one a folder of its own"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
