"""What all steps of one build on a working tree share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.builder.cache import Cache
from tidegate.builder.git import GitFailed
from tidegate.builder.head import Head
from tidegate.builder.kept_result import Origin
from tidegate.builder.keys import Keys
from tidegate.builder.stop import Stop
from tidegate.builder.surroundings import Variables
from tidegate.builder.tree_memory import TreeMemory, log_path
from tidegate.builder.view import View
from tidegate.builder.working_files import new_files, packed, without
from tidegate.model.step_inputs import InputFile, Listing

if TYPE_CHECKING:
    # what a build from the cache does without
    from tidegate.builder.command import Shell
    from tidegate.builder.stillness import Stillness


@dataclass
class Workshop:
    """A working tree at work. `folder` is the service's; `work` one for what only this build needs.

    `listed_at` is when, in nanoseconds since 1970, the files were listed; what matches a group of `products` was not.
    `shell` runs the commands, None for the usual one.
    """

    folder: Path
    work: Path
    cache: Cache
    memory: TreeMemory
    keys: Keys
    variables: Variables
    head: Head
    products: Sequence[Sequence[str]]
    listed_at: int
    view: View
    stop: Stop
    forced: bool = False
    shell: Shell | None = None
    numbers: Iterator[int] = field(default_factory=count, repr=False)

    @cached_property
    def stillness(self) -> Stillness:
        """Whether files stayed as they were listed. To be asked for before the first step runs."""
        from tidegate.builder.stillness import Stillness

        return Stillness(self.folder, self.keys.listing, self.listed_at)

    @cached_property
    def containers(self) -> Shell:
        """What runs commands with an image, or with services."""
        from tidegate.builder.containers import ContainerShell

        return ContainerShell(owner=str(self.memory.folder))

    @cached_property
    def is_dirty(self) -> bool:
        """Whether files are not as in the commit."""
        return bool(self.head.uncommitted)

    @cached_property
    def listing_blob(self) -> str:
        """The digest of the blob of all files, by which later builds say which one changed; empty without one."""
        try:
            return self.cache.keep_bytes(packed(self.keys.listing))
        except OSError:
            return ""

    def before_running(self) -> None:
        """Note how things are, before the first step may change anything."""
        _ = (self.stillness, self.listing_blob, self.head.commit, self.is_dirty)

    def appeared(self) -> Listing:
        """The files that appeared since the listing, beside those that steps made."""
        try:
            others = without(self.products, new_files(self.folder))
        except GitFailed:
            others = ()
        known = {file.path for file in self.keys.listing.files} | self.memory.placed.keys()
        return Listing.of(InputFile(path, "", "") for path in others if path not in known)

    def origin(self) -> Origin:
        """Where a result comes from that is made now."""
        return Origin(datetime.now(UTC), self.head.commit, self.is_dirty)

    def log_path(self, name: str) -> Path:
        """Where the log of a step's last execution lies."""
        return log_path(self.memory.folder, name)
