"""What the file system says of files, by which one that was changed is told without reading it.

A change that leaves the size and comes within one tick of the file system's clock (some milliseconds) is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

Stamps = dict[str, str]
"""Path → stamp; the same stamp means the same content."""


def stamp_of(known: os.stat_result) -> str:
    """The stamp of a file; its fourth word is when it was last changed, in nanoseconds."""
    return f"{known.st_mode:o} {known.st_size} {known.st_mtime_ns} {known.st_ctime_ns} {known.st_ino}"


def stamp_at(path: str | Path) -> str:
    """The stamp of a file, empty where there is none."""
    try:
        return stamp_of(os.lstat(path))
    except OSError:
        return ""


def stamps_at(folder: Path, names: Iterable[str]) -> Stamps:
    """The stamps of files; those that are not there are left out."""
    found = {name: stamp_at(f"{folder}/{name}") for name in names}
    return {name: stamp for name, stamp in found.items() if stamp}
