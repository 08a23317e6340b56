"""The folder of one command, in which a runner keeps what any later agent needs to find, watch and end it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.model.lease import PolledStep, ProcessState
from tidegate.runners.runner import AttemptTaken

_STATUS = re.compile(r"[0-9]{1,3}\n")
_MOST_CHARACTERS = 64
"""What else a command may put into such a file is not read."""


def mark_of(folder: str | Path) -> str:
    """What everything of this folder's command is marked with; no other folder of this machine has the same."""
    path = Path(folder)
    where = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return f"{path.name}-{where[:12]}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else starts the folder's command meanwhile. Raises AttemptTaken where somebody is about to."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AttemptTaken(f"another agent is starting the command in {folder}") from None
        yield


@contextlib.contextmanager
def emptied(path: Path) -> Iterator[int]:
    """A file that is empty and open for appending, which only its owner may read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def write_script(folder: Path, text: str, run_as: int | None) -> Path:
    """Write the command's script, which its user may read and not change."""
    script = folder / "script"
    script.write_text(text)
    script.chmod(0o600 if run_as is None else 0o640)
    if run_as is not None:
        os.chown(script, -1, run_as)
    return script


def write_whole(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a JSON file that is whole or missing, whenever this process dies."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(fields))
    new.rename(path)


def read_lines(path: Path) -> str:
    """The whole lines that the shell left in a file of few."""
    try:
        with path.open(errors="replace") as file:
            whole, end, _ = file.read(_MOST_CHARACTERS).rpartition("\n")
    except OSError:
        return ""
    return whole + end


def exit_status(folder: str) -> PolledStep | None:
    """How the command ended and when, None while its shell has not said so."""
    path = Path(folder) / "exit"
    text = read_lines(path)
    if not _STATUS.fullmatch(text):
        return None
    return PolledStep(ProcessState.EXITED, int(text), datetime.fromtimestamp(path.stat().st_mtime, UTC))
