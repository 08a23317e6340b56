"""What an agent keeps from one checkout to the next: what setup made, and folders that package managers fill.

All of it is an archive under a name that says what it is made from. Losing one costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.outputs import ArchiveRefused, OutputMissing, matched, pack, unpack
from tidegate.model.lease import Lease
from tidegate.model.pipeline import FolderCache

_log = logging.getLogger(__name__)

SETUP = "setup"
"""Whose folders a setup's cache are, where a step's has the step's name."""

_CHUNK_BYTES = 1024 * 1024

LARGEST_BYTES = 10 * 1024**3
"""Of all archives together; those that were not used for longest go first."""


@dataclass(frozen=True, slots=True)
class KeptFolders:
    """Archives below `root`; each is whole or not there, and two attempts may use them at once."""

    root: Path
    run_as: int | None
    largest_bytes: int = LARGEST_BYTES

    def restore(self, name: str, folder: Path) -> bool:
        """Unpack the archive of that name; whether there was one. A damaged one counts as none, and is removed."""
        path = self._path(name)
        try:
            with path.open("rb") as archive:
                os.utime(path)
                unpack(archive, folder, self.run_as)
        except FileNotFoundError:
            return False
        except (ArchiveRefused, OSError) as error:
            _log.warning("the kept folders %s are not used again: %s", name, error)
            path.unlink(missing_ok=True)
            return False
        return True

    def restore_newest(self, beginning: str, folder: Path) -> bool:
        """Unpack the newest archive whose name begins so; whether there was one."""
        found = sorted(self.root.glob(f"{beginning}*.tar"), key=_used_at, reverse=True)
        return bool(found) and self.restore(found[0].stem, folder)

    def keep(self, name: str, confined: ConfinedFolder, patterns: Sequence[str]) -> None:
        """Pack what the patterns match under that name. What cannot be kept is said in the log and costs nothing."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=self.root, prefix=".new-")
        try:
            with os.fdopen(descriptor, "w+b") as archive:
                pack(confined, patterns, archive)
            os.rename(new, self._path(name))
        except (OutputMissing, Escape, OSError) as error:
            _log.info("%s is not kept: %s", name, error)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
        self._shrink()

    def has(self, name: str) -> bool:
        """Whether there is an archive of that name."""
        return self._path(name).exists()

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.tar"

    def _shrink(self) -> None:
        total = 0
        for path in sorted(self.root.glob("*.tar"), key=_used_at, reverse=True):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
                if total > self.largest_bytes:
                    path.unlink()


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is kept for one step in one checkout; `folder` is the service's in it. Nothing of it can fail a step."""

    kept: KeptFolders
    lease: Lease
    confined: ConfinedFolder
    folder: Path

    def restore_setup(self) -> bool:
        """Bring back what setup made from the same inputs; whether that was kept."""
        name = self._name_of_setup()
        return name is not None and self.kept.restore(name, self.folder)

    def keep_setup(self) -> None:
        """Keep what setup made, where it says what it makes, and what from."""
        name = self._name_of_setup()
        if name is not None and self.lease.setup is not None:
            self.kept.keep(name, self.confined, self.lease.setup.outputs)

    def restore_cache(self, of: str, cache: FolderCache | None) -> None:
        """Bring back the folders of the same key, else the newest ones of this step as a beginning."""
        names = self._names_of_cache(of, cache)
        if names and not self.kept.restore(names[1], self.folder):
            self.kept.restore_newest(names[0], self.folder)

    def keep_cache(self, of: str, cache: FolderCache | None) -> None:
        """Keep the folders, unless those of this key are kept already."""
        names = self._names_of_cache(of, cache)
        if names and cache and not self.kept.has(names[1]):
            self.kept.keep(names[1], self.confined, cache.paths)

    def _name_of_setup(self) -> str | None:
        setup = self.lease.setup
        if setup is None or not setup.inputs or not setup.outputs:
            return None
        made_from = _digest(self.lease.service, setup.run, self.lease.step.image or "", *setup.outputs)
        with contextlib.suppress(Escape, OSError):
            return f"setup-{made_from}-{_contents(self.confined, setup.inputs)}"
        return None

    def _names_of_cache(self, of: str, cache: FolderCache | None) -> tuple[str, str] | None:
        """With what the names of the cache's archives begin, and the whole name for the checkout's `key` files."""
        if cache is None:
            return None
        beginning = f"cache-{_digest(self.lease.service, of, *cache.paths)}-"
        with contextlib.suppress(Escape, OSError):
            return beginning, beginning + _contents(self.confined, cache.key)
        return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _contents(confined: ConfinedFolder, patterns: Sequence[str]) -> str:
    """One digest of the files that the patterns match, by name and content."""
    hasher = hashlib.sha256()
    for path in matched(confined, patterns):
        hasher.update(f"{path}\0".encode(errors="surrogateescape"))
        with confined.open(path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                hasher.update(hashlib.sha256(chunk).digest())
        hasher.update(b"\0")
    return hasher.hexdigest()[:32]


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
