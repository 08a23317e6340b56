"""What a step hands over to later ones: files of its checkout in an archive, and the way back.

The archive is a plain tar without times and owners, so that the same files always give the same digest.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.model.step_environment import FIXED_EPOCH
from tidegate.model.step_inputs import InputFile, Listing, literal_part

_UNPACK_SECONDS = 900
_EXECUTABLE, _PLAIN = 0o755, 0o644


class OutputMissing(Exception):
    """A step says that it hands something over and did not make it; the message names the pattern."""


class ArchiveRefused(Exception):
    """An archive holds what could be written elsewhere, or cannot be read; the message names the entry."""


def pack(folder: ConfinedFolder, patterns: Sequence[str], target: BinaryIO) -> None:
    """Write the files that the patterns match to a tar; links go in as links, and are not followed.

    Raises OutputMissing for a pattern that matches nothing, Escape for files that are not the step's.
    """
    found = _listing(folder, patterns)
    for pattern in patterns:
        if not pattern.startswith("!") and not found.matched([pattern]):
            raise OutputMissing(
                f"the output {pattern} matches no file. Does the step write it there, below the service's folder?"
            )
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in found.matched(patterns):
            _add(archive, folder, file.path)


def unpack(archive: BinaryIO, root: Path, run_as: int | None) -> None:
    """Write an archive's files below `root`, as the steps' user. Raises ArchiveRefused; nothing was written then."""
    archive.seek(0)
    _check(archive, root)
    os.lseek(archive.fileno(), 0, os.SEEK_SET)
    command = ["tar", "--extract", "--file=-", f"--directory={root}", "--no-same-owner"]
    done = subprocess.run(
        command,
        stdin=archive,
        capture_output=True,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        user=run_as,
        group=run_as,
        extra_groups=None if run_as is None else [],
        umask=0o022,
        timeout=_UNPACK_SECONDS,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ArchiveRefused(f"the files could not be unpacked: {said[-1] if said else done.returncode}")


def matched(folder: ConfinedFolder, patterns: Sequence[str]) -> list[str]:
    """The files that globs match, as inputs and outputs are matched everywhere, sorted. Raises Escape."""
    return [file.path for file in _listing(folder, patterns).matched(patterns)]


def _listing(folder: ConfinedFolder, patterns: Sequence[str]) -> Listing:
    return Listing.of(InputFile(path, "", "") for path in _files_near(folder, patterns))


def _files_near(folder: ConfinedFolder, patterns: Sequence[str]) -> Iterator[str]:
    """Every file and link below the folders that the patterns begin with, once."""
    begin = folder.root / folder.below
    seen: set[str] = set()
    for pattern in patterns:
        if pattern.startswith("!"):
            continue
        literal = PurePosixPath(literal_part(pattern))
        within = literal if (begin / literal).is_dir() else literal.parent
        if any((begin / part).is_symlink() for part in (within, *within.parents)):
            raise Escape(f"{within} is, or lies behind, a symbolic link; links are not followed")
        for path in _walk(begin / within):
            name = path.relative_to(begin).as_posix()
            if name not in seen and not name.startswith(".git/"):
                seen.add(name)
                yield name


def _walk(top: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(top):
        linked = [name for name in folders if Path(at, name).is_symlink()]
        for name in (*files, *linked):
            yield Path(at, name)


def _add(archive: tarfile.TarFile, folder: ConfinedFolder, path: str) -> None:
    entry = tarfile.TarInfo(path)
    entry.mtime = int(FIXED_EPOCH)  # a ZIP, and so a wheel, takes no file that is older
    whole = folder.root / folder.below / path
    seen = whole.lstat()
    if stat.S_ISLNK(seen.st_mode):
        if folder.owner is not None and seen.st_uid != folder.owner:
            raise Escape(f"{path} does not belong to the step's user")
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(whole)
        archive.addfile(entry)
        return
    with folder.open(path) as file:
        known = os.fstat(file.fileno())
        entry.size = known.st_size
        entry.mode = _EXECUTABLE if known.st_mode & 0o100 else _PLAIN
        archive.addfile(entry, _Exactly(file, entry.size, path))


class _Exactly(io.RawIOBase):
    """A file of which exactly so many bytes are read: it may grow or shrink meanwhile."""

    def __init__(self, file: BinaryIO, size: int, path: str) -> None:
        self._file, self._left, self._path = file, size, path

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        if not data and self._left:
            raise Escape(f"{self._path} changed while it was read; does the step leave something running?")
        return data


def _check(archive: BinaryIO, root: Path) -> None:
    links: set[PurePosixPath] = set()
    try:
        with tarfile.open(fileobj=archive, mode="r:") as entries:
            for entry in entries:
                path = PurePosixPath(entry.name)
                if path.is_absolute() or ".." in path.parts or not (entry.isreg() or entry.issym()):
                    raise ArchiveRefused(f"{entry.name!r} is not a file inside of the checkout")
                if any(parent in links or (root / parent).is_symlink() for parent in path.parents):
                    raise ArchiveRefused(f"{entry.name!r} lies behind a symbolic link, which could lead anywhere")
                if entry.issym():
                    links.add(path)
    except tarfile.TarError as error:
        raise ArchiveRefused(f"it is no archive: {error}") from None
