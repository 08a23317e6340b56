"""A git repository with a build, and everything that is seen of building it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.builder.build import Build as Building
from tidegate.builder.build import state_of
from tidegate.builder.cache import DEFAULT_BYTES, Cache
from tidegate.builder.command import Limits, ProcessShell
from tidegate.builder.definition import Definition
from tidegate.builder.definition_json import build_json
from tidegate.builder.explanation import explain
from tidegate.builder.step_log import lines_of
from tidegate.builder.stop import Stop
from tidegate.builder.tree import opened
from tidegate.builder.tree_memory import TreeMemory
from tidegate.builder.view import StepEnd
from tidegate.model.ids import StepName
from tidegate.model.pipeline import Build, Setup, Step
from tidegate.model.step_run import StepState


@dataclass
class Seen:
    """A view that remembers; `on_line` is called with each line that a step writes."""

    ran: list[str] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)
    ends: dict[str, StepEnd] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def began(self, name: str, attempt: int) -> None:
        self.ran.append(name)

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        self.lines.setdefault(name, []).extend(lines)

    def ended(self, end: StepEnd) -> None:
        self.ends[end.name] = end

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def cached(self) -> set[str]:
        return {name for name, end in self.ends.items() if end.cached}

    @property
    def state(self) -> StepState:
        return state_of([end for name, end in self.ends.items() if name != "setup"])

    def state_of(self, name: str) -> StepState:
        return self.ends[name].state

    def detail(self, name: str) -> str:
        return self.ends[name].detail


@dataclass
class Tree:
    """A working tree with a build of these steps."""

    folder: Path
    cache: Path
    steps: Sequence[Step] = ()
    setup: Setup | None = None
    limits: Limits = Limits()
    most_bytes: int = DEFAULT_BYTES

    def write(self, path: str, text: str = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def text(self, path: str) -> str:
        return (self.folder / path).read_text()

    def git(self, *arguments: str) -> str:
        env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        env |= {f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def build(
        self,
        *only: str,
        jobs: int = 2,
        force: bool = False,
        keep_going: bool = False,
        stop: Stop | None = None,
        seen: Seen | None = None,
    ) -> Seen:
        seen, stop = seen or Seen(), stop or Stop()
        with opened(self.definition, self.opened_cache, lambda: seen.note("waits")) as tree:
            workshop = tree.workshop(seen, stop, force)
            workshop.shell = ProcessShell(self.limits)
            steps = [step for step in tree.build.steps if not only or step.name in only]
            Building(steps, workshop, jobs, keep_going).run()
        return seen

    def explain(self, name: str) -> list[str]:
        with opened(self.definition, self.opened_cache, lambda: None) as tree:
            step = next(step for step in self.steps if step.name == name)
            return list(explain(tree.build, tree.workshop(Seen(), Stop()), step).sentences())

    def log(self, name: str) -> list[str] | None:
        return lines_of(self.opened_cache, self.memory, name)

    @property
    def opened_cache(self) -> Cache:
        return Cache.open(self.cache, self.most_bytes)

    @property
    def memory(self) -> TreeMemory:
        return TreeMemory.read(self.opened_cache.tree_folder(self.folder))

    @property
    def definition(self) -> Definition:
        return Definition("shop", None, self.folder, build_json(Build(tuple(self.steps), self.setup)))

    def blobs(self) -> list[Path]:
        return [path for path in (self.cache / "blobs").glob("*/*") if path.is_file()]

    def results(self) -> list[Path]:
        return [path for path in (self.cache / "results").glob("*/*") if path.is_file()]


def step(name: str, run: str = "true", **more: object) -> Step:
    return Step(StepName(name), run, **more)  # type: ignore[arg-type]  # each test gives fields of a step
