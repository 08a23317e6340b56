"""Which user steps and local services run as, so that they cannot read the server's data.

Started as root, Tidegate gives what it runs a uid of its own, which needs no entry in the user database. That user
may pass through the data folder to what is meant for it, but list nothing and read no secret. Started as anybody
else, it can only run everything as itself, which is for trusted repositories only.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ISOLATED_UID = 61200
"""Outside of the ranges that systems give to people (from 1000), services (below 1000) and systemd's own users."""

PASSABLE = 0o711
"""A folder that others may pass through, but not list."""

_PROBE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Isolation:
    """`run_as` is the uid (and gid) of steps and local services, None for the server's own user; `reason` in words."""

    run_as: int | None
    reason: str


def decide_isolation(data: Path) -> Isolation:
    """Which user steps and local services of the server with this data folder run as.

    Looks at the folders that lead to `data`, which need not exist yet, and changes nothing.
    """
    if os.geteuid() != 0:
        return Isolation(
            None,
            "the server does not run as root, so steps run as its own user and can read its data: "
            "trusted repositories only",
        )
    way = existing_way(data.resolve())
    shut = first_shut_folder(way)
    if shut is not None:
        return Isolation(
            None,
            f"the unprivileged user (uid {ISOLATED_UID}) may not pass through {shut}, so steps run as root: "
            f"trusted repositories only. Use a data folder outside of it (--data), or allow it: chmod o+x {shut}",
        )
    refusal = _refusal(way)
    if refusal is not None:
        return Isolation(
            None,
            f"nothing can be run as the unprivileged user (uid {ISOLATED_UID}): {refusal}; steps run as root: "
            "trusted repositories only",
        )
    return Isolation(ISOLATED_UID, f"steps and local services run as a user of their own (uid {ISOLATED_UID})")


def existing_way(data: Path) -> tuple[Path, ...]:
    """The folders above `data` that exist, from the root down. `data` itself is ours to open."""
    return tuple(folder for folder in reversed(data.parents) if folder.is_dir())


def first_shut_folder(way: tuple[Path, ...]) -> Path | None:
    """The first folder of the way whose mode keeps the unprivileged user out."""
    return next((folder for folder in way if not _may_pass(folder.stat())), None)


def make_passable(data: Path, *inner: str) -> Path:
    """Make `data` and the folders `inner` below it, one in the other, passable (mode 0711); gives the innermost."""
    folder = data
    for name in (None, *inner):
        folder = folder if name is None else folder / name
        folder.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o777 != PASSABLE:
            folder.chmod(PASSABLE)
    return folder


def make_private(folder: Path) -> Path:
    """Make a folder that only the server's own user may enter (mode 0700)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _may_pass(stat: os.stat_result) -> bool:
    if stat.st_uid == ISOLATED_UID:
        return bool(stat.st_mode & 0o100)
    if stat.st_gid == ISOLATED_UID:
        return bool(stat.st_mode & 0o010)
    return bool(stat.st_mode & 0o001)


def _refusal(way: tuple[Path, ...]) -> str | None:
    """Try it: access lists and user namespaces can forbid what the modes allow."""
    try:
        tried = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(way[-1])],
            user=ISOLATED_UID,
            group=ISOLATED_UID,
            extra_groups=[],
            env={},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.strip() or f"exit status {tried.returncode}"
