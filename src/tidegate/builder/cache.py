"""The cache of results: blobs named by their content, results named by their keys.

Everything is written under a temporary name and renamed, so several builds may use one cache, and a process that is
killed leaves nothing half-written under a name that counts. A blob is compared with its name when it is read, a result
has a checksum: so nothing needs to be synced to the disk, and what a power cut spoils is only missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from tidegate.builder import sealed
from tidegate.model.ids import Digest

VARIABLE = "TIDEGATE_CACHE"
SIZE_VARIABLE = "TIDEGATE_CACHE_SIZE"
DEFAULT_BYTES = 5 * 1024**3

USE_NOTED_SECONDS = 3600.0
"""How exactly it is known when a result was last used: noting it more often would write at every build."""


class CacheUnusable(Exception):
    """The cache's folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache in a folder that only its owner may enter; `most_bytes` is about how large it may be."""

    root: Path
    most_bytes: int = DEFAULT_BYTES

    @classmethod
    def open(cls, root: Path, most_bytes: int = DEFAULT_BYTES) -> Cache:
        """The cache in that folder, which is made where it is missing. Raises CacheUnusable."""
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = root.stat()
            if known.st_uid != os.geteuid():
                raise CacheUnusable(f"the cache {root} belongs to another user")
            if known.st_mode & 0o077:
                root.chmod(0o700)
            for name in ("blobs", "results", "definitions", "trees", "incoming"):
                (root / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CacheUnusable(f"the cache {root} cannot be used: {error.strerror}") from None
        return cls(root, most_bytes)

    def result(self, key: str) -> Any | None:
        """What is kept under a key, None where nothing is. This counts as a use of it."""
        found = sealed.read(self.result_path(key))
        if found is not None:
            self.note_use(key)
        return found

    def keep_result(self, key: str, value: Any) -> None:
        """Keep a result, in place of one that is there. Raises OSError."""
        path = self.result_path(key)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        sealed.write(path, value)

    def forget(self, key: str) -> None:
        """Keep the result of a key no more."""
        self.result_path(key).unlink(missing_ok=True)

    def note_use(self, key: str) -> None:
        """Say that a result is used now: what was not used for longest goes first."""
        path = self.result_path(key)
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > USE_NOTED_SECONDS:
                os.utime(path)

    @contextmanager
    def new_blob(self) -> Iterator[NewBlob]:
        """A file to be filled and kept; what is not kept is gone afterwards. Raises OSError."""
        import tempfile  # together with what it needs, it takes longer than looking results up

        descriptor, name = tempfile.mkstemp(dir=self.root / "incoming")
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield NewBlob(self, file, Path(name))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)

    def keep_bytes(self, data: bytes) -> Digest:
        """Keep bytes as a blob. Raises OSError."""
        with self.new_blob() as blob:
            blob.file.write(data)
            return blob.keep()[0]

    def open_blob(self, digest: Digest) -> BinaryIO | None:
        """The bytes of a blob, all compared with the digest; None where it is missing or damaged."""
        path = self.blob_path(digest)
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            if hashlib.file_digest(file, "sha256").hexdigest() == digest.removeprefix("sha256:"):
                file.seek(0)
                return file
        except OSError:
            pass
        file.close()
        path.unlink(missing_ok=True)
        return None

    def blob_path(self, digest: str) -> Path:
        """Where a blob lies."""
        name = digest.removeprefix("sha256:")
        assert re.fullmatch("[0-9a-f]{64}", name), digest
        return self.root / "blobs" / name[:2] / name[2:]

    def result_path(self, key: str) -> Path:
        """Where the result of a key lies."""
        assert re.fullmatch("[0-9a-f]{64}", key), key
        return self.root / "results" / key[:2] / key[2:]

    def tree_folder(self, folder: Path) -> Path:
        """A folder for what is known of the working tree in `folder`."""
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        path = self.root / "trees" / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A file that becomes a blob when it is kept."""

    cache: Cache
    file: IO[bytes]
    path: Path

    def keep(self) -> tuple[Digest, int]:
        """Keep what was written: its digest, and how many bytes it has. Repairs a blob that was damaged."""
        self.file.flush()
        self.file.seek(0)
        name = hashlib.file_digest(self.file, "sha256").hexdigest()  # type: ignore[arg-type]  # an open file is one
        digest = Digest(f"sha256:{name}")
        place = self.cache.blob_path(digest)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        size = self.file.tell()
        os.replace(self.path, place)
        return digest, size
