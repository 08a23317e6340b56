"""The files of a working tree that may be inputs, with the ids that git would give to their contents.

Git's index says what is unmodified, without reading it; only what differs from it, or is new, is hashed. So a file has
the id that it has in the commit that it becomes part of, and a step the key that the server gives it there.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import MappingProxyType

from tidegate.builder import git
from tidegate.builder.stamps import stamp_at, stamp_of
from tidegate.model.step_inputs import InputFile, Listing

_SETTLED_NANOSECONDS = 2_000_000_000
"""Whoever changes a file twice within the time that its file system tells apart leaves it with the same stamp."""

_GITLINK, _LINK, _EXECUTABLE, _PLAIN = "160000", "120000", "100755", "100644"

Hashes = dict[str, tuple[str, str]]
"""Path → stamp and content of a file when it was hashed."""


@dataclass(slots=True)
class Asked:
    """A question to git that is being answered while something else is done."""

    folder: Path
    _git: Popen[bytes] = field(repr=False)

    def answer(
        self,
        hashes: Mapping[str, tuple[str, str]],
        products: Iterable[Sequence[str]] = (),
        made: Mapping[str, str] = MappingProxyType({}),
    ) -> WorkingFiles:
        """The files. `hashes` are those of the time before.

        As long as git does not know them, those that a group of patterns of `products` matches are no inputs, and
        those of `made` (path → stamp) neither, unless somebody changed them. Raises GitFailed.
        """
        seen = _Seen.of(git.finish(self._git, self.folder))
        seen.others = [path for path in without(products, seen.others) if not self._is_made(path, made)]
        return _completed(self.folder, seen, hashes)

    def _is_made(self, path: str, made: Mapping[str, str]) -> bool:
        return path in made and stamp_at(self.folder / path) == made[path]


@dataclass(frozen=True, slots=True)
class WorkingFiles:
    """A listing, and the hashes that were needed for it: worth remembering for the next one."""

    listing: Listing
    hashes: Hashes
    others: tuple[str, ...]
    """The paths that git does not know."""


def ask(folder: Path) -> Asked:
    """Begin to list the files below a folder. Raises GitFailed."""
    arguments = ("ls-files", "-z", "-t", "-s", "-c", "-m", "-d", "-o", "--exclude-standard")
    return Asked(folder, git.begin(folder, *arguments))


def new_files(folder: Path) -> list[str]:
    """The paths that git does not know and does not ignore. Raises GitFailed."""
    told = git.ask(folder, "ls-files", "-z", "-o", "--exclude-standard").decode(errors="surrogateescape")
    return [path for path in told.split("\0") if path and not path.endswith("/")]


def without(products: Iterable[Sequence[str]], paths: Sequence[str]) -> Sequence[str]:
    """The paths that no group of patterns matches."""
    if not paths:
        return paths
    listed = Listing.of(InputFile(path, "", "") for path in paths)
    matched = {file.path for patterns in products for file in listed.matched(patterns)}
    return [path for path in paths if path not in matched]


@dataclass(slots=True)
class _Seen:
    """What git lists: path → mode and content of what it knows, and which paths are otherwise in the tree."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    modified: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, output: bytes) -> _Seen:
        seen = cls()
        for record in output.decode(errors="surrogateescape").split("\0")[:-1]:
            tag, rest = record[0], record[2:]
            if tag == "?":
                # a folder is a repository of its own, of which git adds nothing
                if not rest.endswith("/"):
                    seen.others.append(rest)
                continue
            about, _, path = rest.partition("\t")
            if tag == "R":
                seen.deleted.add(path)
            elif tag == "C":
                seen.modified.add(path)
            else:
                mode, content, _ = about.split(" ")
                seen.known[path] = mode, content
        return seen


def _completed(folder: Path, seen: _Seen, hashes: Mapping[str, tuple[str, str]]) -> WorkingFiles:
    differing = [path for path in seen.modified if path not in seen.deleted]
    found = _Found(folder, hashes, next(iter(seen.known.values()), ("", ""))[1])
    for path in (*differing, *seen.others):
        found.add(path, *seen.known.get(path, ("", "")))
    found.hash_the_rest()
    as_known = [
        InputFile(path, mode, content)
        for path, (mode, content) in seen.known.items()
        if path not in seen.modified and path not in seen.deleted
    ]
    return WorkingFiles(Listing.of([*as_known, *found.files]), found.hashes, tuple(seen.others))


@dataclass(slots=True)
class _Found:
    """Files whose contents git has to be asked for, unless their stamps are known."""

    folder: Path
    known: Mapping[str, tuple[str, str]]
    an_id: str
    files: list[InputFile] = field(default_factory=list)
    hashes: Hashes = field(default_factory=dict)
    _wanted: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, path: str, mode: str, content: str) -> None:
        """Look at a file; `mode` and `content` are those of the index, where it is there."""
        whole = self.folder / path
        try:
            seen = os.lstat(whole)
        except OSError:
            return
        if stat.S_ISLNK(seen.st_mode):
            self.files.append(InputFile(path, _LINK, _blob_id(os.fsencode(os.readlink(whole)), self.an_id)))
        elif stat.S_ISDIR(seen.st_mode) and mode == _GITLINK:
            head = git.ask_in_words(whole, "rev-parse", "HEAD")
            self.files.append(InputFile(path, _GITLINK, head or content))
        elif stat.S_ISREG(seen.st_mode):
            self._add_plain(path, seen)

    def hash_the_rest(self) -> None:
        """Have git hash what is not known. Raises GitFailed."""
        if not self._wanted:
            return
        paths = [path for path, _, _ in self._wanted]
        told = git.ask_about(self.folder, paths, "hash-object").decode().split()
        for (path, mode, stamp), content in zip(self._wanted, told, strict=True):
            self.files.append(InputFile(path, mode, content))
            if stamp:
                self.hashes[path] = stamp, content

    def _add_plain(self, path: str, seen: os.stat_result) -> None:
        mode = _EXECUTABLE if seen.st_mode & 0o100 else _PLAIN
        stamp = stamp_of(seen)
        before, content = self.known.get(path, ("", ""))
        if before == stamp:
            self.files.append(InputFile(path, mode, content))
            self.hashes[path] = stamp, content
        else:
            is_settled = time.time_ns() - max(seen.st_mtime_ns, seen.st_ctime_ns) > _SETTLED_NANOSECONDS
            self._wanted.append((path, mode, stamp if is_settled else ""))


def _blob_id(data: bytes, like: str) -> str:
    """The id that git gives to content that it keeps as it is; `like` another id, where the repository has one."""
    hasher = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    hasher.update(b"blob %d\0" % len(data) + data)
    return hasher.hexdigest()


def packed(listing: Listing) -> bytes:
    """A listing as bytes, to be remembered."""
    text = "".join(f"{file.mode} {file.content} {file.path}\0" for file in listing.files)
    return zlib.compress(text.encode(errors="surrogateescape"), 1)


def unpacked(data: bytes) -> Listing:
    """The listing that `packed` gave these bytes for."""
    records = zlib.decompress(data).decode(errors="surrogateescape").split("\0")[:-1]
    fields = (record.split(" ", 2) for record in records)
    return Listing.of(InputFile(path, mode, content) for mode, content, path in fields)
