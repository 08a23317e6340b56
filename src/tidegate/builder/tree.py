"""A working tree, opened: what its file says, which files it has, and what is remembered of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.agent.this_platform import this_platform
from tidegate.builder import tree_memory, working_files
from tidegate.builder.cache import Cache
from tidegate.builder.definition import Definition
from tidegate.builder.head import Head
from tidegate.builder.keys import Keys
from tidegate.builder.stop import Stop
from tidegate.builder.surroundings import Variables
from tidegate.builder.tree_memory import TreeMemory, mark_of_tree
from tidegate.builder.view import View
from tidegate.builder.working_files import WorkingFiles
from tidegate.builder.workshop import Workshop
from tidegate.model.ids import ServiceName
from tidegate.model.pipeline import Build


class BuildInsideItself(Exception):
    """A step of a build asks for another build of the same tree, which would wait for its own end."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree that is held: no other build works in it."""

    definition: Definition
    build: Build
    cache: Cache
    memory: TreeMemory
    files: WorkingFiles
    products: Sequence[Sequence[str]]
    """The patterns of what is surely made by steps, by setup or by us, in groups."""

    listed_at: int
    work: Path

    def workshop(self, view: View, stop: Stop, forced: bool = False) -> Workshop:
        """The tree at work."""
        definition = self.definition
        head = Head(definition.folder, self.files)
        return Workshop(
            folder=definition.folder,
            work=self.work,
            cache=self.cache,
            memory=self.memory,
            keys=Keys(ServiceName(definition.service), self.build.setup, self.files.listing, str(this_platform())),
            variables=Variables(definition.service, definition.branch, head),
            head=head,
            products=self.products,
            listed_at=self.listed_at,
            view=view,
            stop=stop,
            forced=forced,
        )


@contextmanager
def opened(definition: Definition, cache: Cache, waits: Callable[[], None]) -> Iterator[Tree]:
    """Hold a working tree, after whoever holds it now; `waits` is called where somebody does.

    Raises BuildInsideItself, and GitFailed where its files cannot be listed.
    """
    folder = cache.tree_folder(definition.folder)
    if os.environ.get("TIDEGATE_MARK", "").startswith(mark_of_tree(folder)):
        raise BuildInsideItself(f"this is a step of a build of {definition.folder}, which cannot build it once more")
    with tree_memory.held(folder, waits) as work:
        listed_at = time.time_ns()
        asked = working_files.ask(definition.folder)
        # git lists the files meanwhile
        from tidegate.builder.definition_json import build_of_json

        build = build_of_json(definition.build)
        memory = TreeMemory.read(folder)
        products = tuple(_products(build, cache, definition.folder))
        files = asked.answer(memory.hashes, products, memory.placed)
        memory.hashes = files.hashes
        yield Tree(definition, build, cache, memory, files, products, listed_at, work)


def _products(build: Build, cache: Cache, folder: Path) -> Iterator[tuple[str, ...]]:
    # not those of outputs: among them may be files that a person has written and not added yet
    if cache.root.is_relative_to(folder):
        yield (cache.root.relative_to(folder).as_posix(),)
    for step in build.steps:
        yield (*step.artifacts.values(), *(path for path in (step.junit, step.coverage) if path))
        if step.cache:
            yield step.cache.paths
    if build.setup:
        yield (*build.setup.outputs, *(build.setup.cache.paths if build.setup.cache else ()))
