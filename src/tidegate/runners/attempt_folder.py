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
from functools import lru_cache
from pathlib import Path
from typing import Any

from tidegate.model.lease import PolledStep, ProcessState
from tidegate.runners.runner import AttemptTaken

_STATUS = re.compile(r"[0-9]{1,3}\n")
_MOST_BYTES = 64
"""What else a command may put into such a file is not read."""


@lru_cache(256)
def mark_of(folder: str | Path) -> str:
    """What everything of this folder's command is marked with; no other folder of this machine has the same."""
    parent, name = os.path.split(folder)
    where = hashlib.sha256(f"{_real(parent)}/{name}".encode()).hexdigest()
    return f"{name}-{where[:12]}"


@lru_cache(16)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else starts the folder's command meanwhile. Raises AttemptTaken where somebody is about to."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AttemptTaken(f"another agent is starting the command in {folder}") from None
        yield
    finally:
        os.close(lock)


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
    with open(os.open(script, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600 if run_as is None else 0o640)
        if run_as is not None:
            os.fchown(file.fileno(), -1, run_as)
        file.write(text)
    return script


def write_whole(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a JSON file that is whole or missing, whenever this process dies."""
    new = f"{path}.new"
    with open(new, "w") as file:
        file.write(json.dumps(fields))
    os.rename(new, path)


def read_lines(path: str | Path) -> str:
    """The whole lines that were left in a file of few."""
    return _lines_and_time(path)[0]


def exit_status(folder: str) -> PolledStep | None:
    """How the command ended and when, None while nobody has said so."""
    text, written_at = _lines_and_time(f"{folder}/exit")
    if not _STATUS.fullmatch(text):
        return None
    return PolledStep(ProcessState.EXITED, int(text), datetime.fromtimestamp(written_at, UTC))


def _lines_and_time(path: str | Path) -> tuple[str, float]:
    """The whole lines at the beginning of a file, and the time of its last change."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return "", 0.0
    try:
        whole, end, _ = os.read(file, _MOST_BYTES).decode(errors="replace").rpartition("\n")
        return whole + end, os.fstat(file).st_mtime
    except OSError:
        return "", 0.0
    finally:
        os.close(file)
