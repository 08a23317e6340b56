"""Reading what a step left in its checkout, without being led out of it.

A step can put a link anywhere, and the agent may read more than the step: every part of a path is opened by itself,
no link is followed, and the file must belong to the step's user.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

_WILD = frozenset("*?[")


class Escape(Exception):
    """A path leads, or could lead, out of the folder; the message says how."""


@dataclass(frozen=True, slots=True)
class ConfinedFolder:
    """Files below `root/below` are read; `owner` is the uid that they must have, None for any."""

    root: Path
    below: str = "."
    owner: int | None = None

    @property
    def folder(self) -> Path:
        """Where paths begin."""
        return self.root / self.below

    def matches(self, pattern: str) -> list[str]:
        """The files that match a glob (`*`, `?`, `[…]`, `**` for any depth), named as `open` takes them, sorted.

        As in a shell, a name that begins with a dot is matched only by a pattern that does. Raises Escape.
        """
        below = PurePosixPath(*_inner_parts(self.below))
        found = set(_find(self.root, "", self._parts(pattern)))
        return sorted(str(PurePosixPath(path).relative_to(below)) for path in found)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The bytes of a file. Raises Escape, and FileNotFoundError where there is none."""
        with self._around(path) as (at, name):
            file = _open_at(at, name, os.O_NONBLOCK, path)
        try:
            self._check(os.fstat(file), path)
        except Escape:
            os.close(file)
            raise
        with os.fdopen(file, "rb") as opened:
            yield opened

    def remove(self, path: str) -> None:
        """Remove a file, or a link in its place. Raises Escape, and OSError where there is none or it is a folder."""
        with self._around(path) as (at, name):
            os.unlink(name, dir_fd=at)

    @contextmanager
    def _around(self, path: str) -> Iterator[tuple[int, str]]:
        """The opened folder in which a path ends, and the last name. Raises Escape and FileNotFoundError."""
        *folders, name = self._parts(path)
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                inner = _open_at(at, folder, os.O_DIRECTORY, path)
                os.close(at)
                at = inner
            yield at, name
        finally:
            os.close(at)

    def _parts(self, path: str) -> list[str]:
        if not PurePosixPath(path).parts:
            raise Escape("an empty path names no file")
        return _inner_parts(self.below) + _inner_parts(path)

    def _check(self, seen: os.stat_result, path: str) -> None:
        if not stat.S_ISREG(seen.st_mode):
            raise Escape(f"{path} is not a plain file")
        if self.owner is not None and seen.st_uid != self.owner:
            raise Escape(f"{path} does not belong to the step's user")


def _inner_parts(path: str) -> list[str]:
    parts = PurePosixPath(path).parts
    if parts[:1] == ("/",) or ".." in parts or "\0" in path:
        raise Escape(f"{path!r} is not a path inside of the checkout")
    return list(parts)


def _open_at(folder: int, name: str, flags: int, path: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Escape(f"{path} is, or lies behind, a symbolic link; links are not followed") from None
        raise


def _find(folder: Path, below: str, parts: list[str]) -> Iterator[str]:
    first, *rest = parts
    if first == "**":
        yield from _find(folder, below, rest or ["*"])
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _find(Path(entry.path), f"{below}{entry.name}/", parts)
        return
    if not _WILD & set(first):
        names = [first] if os.path.lexists(folder / first) else []
    else:
        names = [entry.name for entry in _entries(folder) if _matches(entry.name, first)]
    for name in names:
        path = folder / name
        if rest:
            if path.is_symlink():
                if name == first:
                    raise Escape(f"{below}{name} is a symbolic link; links are not followed")
            elif path.is_dir():
                yield from _find(path, f"{below}{name}/", rest)
        elif path.is_symlink() or not path.is_dir():
            yield below + name


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
