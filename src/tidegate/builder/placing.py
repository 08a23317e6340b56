"""Putting the files of a result in place: only what is missing or differs is written."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from tidegate.agent.outputs import ArchiveRefused, unpack
from tidegate.builder.cache import Cache
from tidegate.builder.stamps import Stamps, stamp_at, stamps_at
from tidegate.model.ids import Digest

_CHUNK_BYTES = 1024 * 1024


class NotPlaced(Exception):
    """The files of a result could not be brought back; nothing that counts was written."""


def place(cache: Cache, archives: Iterable[Digest], folder: Path, before: Mapping[str, str]) -> Stamps:
    """Bring the files of archives back; gives their stamps. `before` are the stamps of what lay there.

    Of those, what the archives do not hold and nobody changed is removed. Raises NotPlaced.
    """
    names: list[str] = []
    for digest in archives:
        file = cache.open_blob(digest)
        if file is None:
            raise NotPlaced("its files are no longer in the cache")
        with file:
            names += _place_archive(cache, file, folder)
    for path in before.keys() - set(names):
        if stamp_at(folder / path) == before[path]:
            (folder / path).unlink(missing_ok=True)
    return stamps_at(folder, names)


def names_in(archive: BinaryIO) -> list[str]:
    """The paths of an archive's files."""
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:") as entries:
        return entries.getnames()


def _place_archive(cache: Cache, file: BinaryIO, folder: Path) -> list[str]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as entries:
            members = entries.getmembers()
            differing = [entry for entry in members if not _is_in_place(entries, entry, folder)]
            if differing == members:
                _unpack(file, folder)
            elif differing:
                _place_some(cache, entries, differing, folder)
        _date(differing, folder)
    except (tarfile.TarError, ArchiveRefused, OSError) as error:
        raise NotPlaced(f"its files cannot be brought back: {error}") from error
    return [entry.name for entry in members]


def _is_in_place(entries: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> bool:
    path = folder / entry.name
    try:
        seen = path.lstat()
        if entry.issym():
            return stat.S_ISLNK(seen.st_mode) and os.readlink(path) == entry.linkname
        if not stat.S_ISREG(seen.st_mode) or seen.st_size != entry.size:
            return False
        if bool(seen.st_mode & 0o100) != bool(entry.mode & 0o100):
            return False
        kept = entries.extractfile(entry)
        assert kept is not None  # it is no link
        with path.open("rb") as there:
            while chunk := kept.read(_CHUNK_BYTES):
                if there.read(len(chunk)) != chunk:
                    return False
    except OSError:
        return False
    return True


def _place_some(cache: Cache, entries: tarfile.TarFile, wanted: list[tarfile.TarInfo], folder: Path) -> None:
    """Write some of an archive's files. Raises ArchiveRefused, OSError."""
    with cache.new_blob() as blob:
        with tarfile.open(fileobj=blob.file, mode="w", format=tarfile.PAX_FORMAT) as part:
            for entry in wanted:
                part.addfile(entry, entries.extractfile(entry) if entry.isreg() else None)
        blob.file.flush()
        _unpack(cast(BinaryIO, blob.file), folder)


def _unpack(archive: BinaryIO, folder: Path) -> None:
    """Write all of an archive's files, which are checked first from its beginning. Raises ArchiveRefused."""
    archive.seek(0)
    unpack(archive, folder, None)


def _date(entries: list[tarfile.TarInfo], folder: Path) -> None:
    """Date files as if the step had written them now: archives hold no times, and 1970 is before what ZIP can name."""
    for entry in entries:
        with suppress(OSError):
            os.utime(folder / entry.name, follow_symlinks=False)
