"""What a folder holds, told by fingerprints instead of contents, to see cheaply whether a step changed anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Fingerprint = tuple[int, ...]
Survey = Mapping[str, Fingerprint]
"""Path below the folder → fingerprint of what is there."""

INDEX = ".git/index"
_UNWATCHED = frozenset({".git/objects", ".git/logs"})
"""What git adds to without a change of what is checked out."""


def survey(folder: Path) -> Survey:
    """Fingerprints of everything below the folder; no link is followed. Raises OSError where it cannot be read.

    A file's fingerprint has its change time, which only the system sets: a file cannot be changed under it.
    """
    return dict(_survey(str(folder), ""))


def _survey(folder: str, below: str) -> Iterator[tuple[str, Fingerprint]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = below + entry.name
            if path in _UNWATCHED:
                continue
            seen = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                yield path, (seen.st_mode, seen.st_uid)
                yield from _survey(entry.path, path + "/")
            else:
                yield path, (seen.st_mode, seen.st_uid, seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)


def is_folder(seen: Fingerprint) -> bool:
    """Whether that is the fingerprint of a folder."""
    return stat.S_ISDIR(seen[0])


def last_change(seen: Survey) -> int:
    """The latest change time of a file, in nanoseconds since 1970 by the file system's clock; 0 where there is none."""
    return max((print_[-1] for print_ in seen.values() if not is_folder(print_)), default=0)


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a folder: paths that are new, and paths that changed or are gone."""

    added: frozenset[str]
    altered: frozenset[str]

    @classmethod
    def between(cls, before: Survey, now: Survey) -> Difference:
        """What happened from `before` to `now`."""
        return cls(
            added=frozenset(now.keys() - before.keys()),
            altered=frozenset(path for path, print_ in before.items() if now.get(path) != print_),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not self.added and not self.altered

    @property
    def touches_git(self) -> bool:
        """Whether more of git's own files than its index is different."""
        return any(path.startswith(".git/") and path != INDEX for path in self.added | self.altered)

    @property
    def added_roots(self) -> list[str]:
        """The new paths without those that lie below another new one."""
        return sorted(path for path in self.added if not _has_parent_in(path, self.added))


def _has_parent_in(path: str, paths: frozenset[str]) -> bool:
    parent = path.rpartition("/")[0]
    return parent in paths
