"""Artifacts in a folder: `sha256/ab/cdef…`, each file named by what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tidegate.artifacts.store import ArtifactCorrupt, ArtifactMissing, ArtifactNotKept
from tidegate.model.ids import Digest

_CHUNK_BYTES = 1024 * 1024
_NEW = ".new-"
_ABANDONED_SECONDS = 24 * 3600
"""Nobody goes on with a file to which nothing was written for so long."""


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Keeps artifacts below `root`, readable for its own user only. Many processes may use one folder at a time."""

    root: Path

    def put(self, chunks: Iterable[bytes]) -> Digest:
        """Keep the bytes and give their digest. Durable when it returns.

        Raises ArtifactNotKept where the disk is full or may not be written; nothing is left behind then.
        """
        hasher = hashlib.sha256()
        with self._explained(), _new_file(self._folder("incoming")) as (file, new):
            self._forget_abandoned(new.parent)
            for chunk in _passing_through(chunks):
                hasher.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            digest = Digest(f"sha256:{hasher.hexdigest()}")
            path = self._path(digest)
            self._folder(f"sha256/{path.parent.name}")
            # the same bytes again replace themselves, which repairs a file that was damaged
            new.rename(path)
            _sync_folder(path.parent)
        return digest

    def open(self, digest: Digest) -> BinaryIO:
        """The bytes of an artifact; all of them were compared with the digest when this returns.

        Raises ArtifactMissing (also for what is no digest), or ArtifactCorrupt; a corrupt file is set aside, so that
        putting the right bytes again repairs it.
        """
        path = self._path(digest)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise ArtifactMissing(f"no artifact {digest} is here") from None
        try:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest.removeprefix("sha256:"):
                raise ArtifactCorrupt(f"the bytes of {digest} have changed on disk; {self._set_aside(path, file)}")
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def copy_to(self, digest: Digest, path: Path) -> None:
        """Write the checked bytes to `path`, whole or not at all. Raises as `open` does, and OSError."""
        with self.open(digest) as source, _new_file(path.parent) as (target, new):
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
            target.flush()
            os.fchmod(target.fileno(), 0o644)
            new.rename(path)

    def older_than(self, moment: datetime) -> Iterator[Digest]:
        """What was last put before that moment, by the clock of the file system."""
        for folder in sorted(self.root.glob("sha256/??")):
            for file in sorted(folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    if file.stat().st_mtime < moment.timestamp():
                        yield Digest(f"sha256:{folder.name}{file.name}")

    def forget(self, digest: Digest, older_than: datetime) -> int:
        """Remove the bytes, unless they were put again since that moment; how many were removed."""
        path = self._path(digest)
        aside = self._folder("removed") / (path.parent.name + path.name)
        try:
            path.rename(aside)  # at once: bytes that are put from now on are another file
        except FileNotFoundError:
            return 0
        there = aside.stat()
        if there.st_mtime >= older_than.timestamp():
            aside.rename(path)
            return 0
        aside.unlink()
        return there.st_size

    def size(self, digest: Digest) -> int:
        """How many bytes the artifact has. Raises ArtifactMissing."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            raise ArtifactMissing(f"no artifact {digest} is here") from None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _SourceFailed as error:
            raise error.cause from None
        except OSError as error:
            raise ArtifactNotKept(
                f"the artifact could not be kept in {self.root}: {error.strerror or error}; "
                "nothing of it was kept. Free some space there, or give the folder back to its user, and try again"
            ) from error

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _path(self, digest: Digest) -> Path:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ArtifactMissing(f"{digest!r} is not the digest of an artifact (sha256: and 64 digits)")
        name = digest.removeprefix("sha256:")
        return self.root / "sha256" / name[:2] / name[2:]

    def _set_aside(self, path: Path, damaged: BinaryIO) -> str:
        """Move the damaged file away, unless it has been replaced by the right one meanwhile; what was done."""
        aside = self._folder("corrupt") / (path.parent.name + path.name)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(damaged.fileno())):
                path.rename(aside)
                return f"they were set aside as {aside}"
        return "somebody has replaced them by now: read it again"

    def _forget_abandoned(self, incoming: Path) -> None:
        """Remove what killed processes left of their puts."""
        for left in incoming.glob(f"{_NEW}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    left.unlink()


class _SourceFailed(Exception):
    """Carries what the giver of the bytes raised past the handling of our own disk's errors."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _passing_through(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except OSError as error:
        raise _SourceFailed(error) from error


@contextlib.contextmanager
def _new_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file under a temporary name, which is gone afterwards unless it was renamed."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=_NEW)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
