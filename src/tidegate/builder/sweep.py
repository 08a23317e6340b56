"""Keeping the cache within its size: what was not used for longest goes first."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.builder import sealed
from tidegate.builder.cache import Cache
from tidegate.builder.kept_result import KeptResult
from tidegate.builder.tree_memory import blobs_of

_FRESH_SECONDS = 3600.0
"""What is younger may belong to a build that has not written yet what refers to it."""

_TREE_SECONDS = 30 * 86400.0
"""What is known of a working tree in which nothing was built for so long is forgotten."""

_KEPT_SHARE = 0.9
"""How full a cache is left that was too full, so that not every build has to look at all of it."""


def account(cache: Cache, added: int) -> None:
    """Note that a build added so many bytes; sweep where the cache is too large now. Raises OSError."""
    with open(cache.root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = sealed.read(cache.root / "usage")
        total = _size_of_all(cache) if known is None else int(known) + added
        if total > cache.most_bytes:
            total = sweep(cache)
        sealed.write(cache.root / "usage", total)


def sweep(cache: Cache) -> int:
    """Remove what is left over and, while the cache is too large, what was not used for longest; the bytes it has then.

    A result goes with the blobs that no other one refers to.
    """
    _forget_old_trees(cache)
    _remove_leftovers(cache)
    total = _size_of_all(cache)
    wanted = cache.most_bytes * _KEPT_SHARE if total > cache.most_bytes else total
    results = sorted(_results(cache), key=lambda one: one.used_at)
    refers = _references(cache, results)
    for blob in _files(cache.root / "blobs"):
        if blob.parent.name + blob.name not in refers:
            total -= _remove(blob)
    for result in results:
        if total <= wanted:
            break
        total -= _remove(result.path, although_fresh=True)
        for name in result.blobs:
            refers[name] -= 1
            if not refers[name]:
                total -= _remove(cache.blob_path(name), although_fresh=True)
    return total


@dataclass(frozen=True, slots=True)
class _Result:
    path: Path
    used_at: float
    blobs: frozenset[str]


def _results(cache: Cache) -> Iterator[_Result]:
    for path in _files(cache.root / "results"):
        kept = KeptResult.of_json(sealed.read(path))
        if kept is None:
            _remove(path)
            continue
        digests = (*kept.archives, *((kept.log,) if kept.log else ()))
        with suppress(FileNotFoundError):
            yield _Result(path, path.stat().st_mtime, frozenset(map(_name, digests)))


def _references(cache: Cache, results: list[_Result]) -> dict[str, int]:
    """How often each blob is referred to, by its name."""
    refers: dict[str, int] = {}
    for result in results:
        for name in result.blobs:
            refers[name] = refers.get(name, 0) + 1
    for tree in (cache.root / "trees").iterdir():
        for digest in blobs_of(tree):
            refers[_name(digest)] = refers.get(_name(digest), 0) + 1
    return refers


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _files(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (Path(at, name) for name in names)


def _remove(path: Path, *, although_fresh: bool = False) -> int:
    """Remove a file; how many bytes it had. A fresh one may belong to a build that runs now, and stays."""
    with suppress(FileNotFoundError):
        known = path.lstat()
        if although_fresh or time.time() - known.st_mtime > _FRESH_SECONDS:
            path.unlink()
            return known.st_size
    return 0


def _size_of_all(cache: Cache) -> int:
    """The bytes of all results; what is remembered of trees, and their last logs, are not counted."""
    total = 0
    for folder in ("blobs", "results"):
        for path in _files(cache.root / folder):
            with suppress(FileNotFoundError):
                total += path.lstat().st_size
    return total


def _remove_leftovers(cache: Cache) -> None:
    """Remove what killed builds had not renamed yet, and pipelines that were not asked for lately."""
    for folder in ("incoming", "results", "definitions"):
        for path in _files(cache.root / folder):
            if path.name.startswith(".") or folder != "results":
                _remove(path)


def _forget_old_trees(cache: Cache) -> None:
    for tree in (cache.root / "trees").iterdir():
        with suppress(FileNotFoundError):
            if time.time() - tree.stat().st_mtime > _TREE_SECONDS:
                shutil.rmtree(tree, ignore_errors=True)
