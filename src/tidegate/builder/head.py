"""What git says of the commit that a working tree is based on; asked only when a step depends on it, or runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tidegate.builder import git
from tidegate.builder.working_files import WorkingFiles
from tidegate.model.ids import Commit


@dataclass(frozen=True)
class Head:
    """The commit that a folder's files are based on, and what of these files is not committed yet."""

    folder: Path
    files: WorkingFiles

    @property
    def commit(self) -> Commit | None:
        """The commit, None where there is none yet."""
        return Commit(self._commit[0]) if self._commit else None

    @property
    def seconds(self) -> int:
        """When the commit was made, in seconds since 1970; now where there is none."""
        return int(self._commit[1]) if self._commit else int(time.time())

    @property
    def author(self) -> str | None:
        """Who made the commit, or makes the next one where there are changes that are not committed."""
        if self.uncommitted:
            return git.ask_in_words(self.folder, "config", "user.name")
        return self._commit[2] if self._commit else None

    @cached_property
    def branch(self) -> str | None:
        """The branch that is checked out, None for none."""
        return git.ask_in_words(self.folder, "symbolic-ref", "--short", "--quiet", "HEAD")

    @cached_property
    def uncommitted(self) -> tuple[str, ...]:
        """The files that are not as in the commit, also new ones; paths begin at the folder."""
        if not self._commit:
            return tuple(file.path for file in self.files.listing.files)
        differing = self._names("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", "HEAD")
        return (*differing, *self.files.others)

    @cached_property
    def changed(self) -> tuple[str, ...] | None:
        """The files that differ from the commit before: what is not committed, or else what the commit changed.

        None where git cannot say.
        """
        if self.uncommitted or not self._commit:
            return self.uncommitted
        parent = "HEAD^" if self._commit[3] else _EMPTY_TREE
        try:
            return self._names("diff-tree", "-r", "--name-only", "--no-renames", "--relative", "-z", parent, "HEAD")
        except git.GitFailed:
            return None  # the clone is too shallow

    @cached_property
    def _commit(self) -> list[str] | None:
        """Name, time, author and parents."""
        shown = git.ask_in_words(self.folder, "log", "-1", "--no-show-signature", "--format=%H%x00%ct%x00%an%x00%P")
        return shown.split("\0") if shown else None

    def _names(self, *arguments: str) -> tuple[str, ...]:
        told = git.ask(self.folder, *arguments).decode(errors="surrogateescape").split("\0")
        return tuple(name for name in told if name)


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""What git calls a commit's files where there are none."""
