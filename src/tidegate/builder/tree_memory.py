"""What is remembered of a working tree: how each step went the last time, and which files it has put there.

All of it is in one file, so that a build in which nothing changed reads little else. It is a memory only: without it
results are looked up by their keys, and files are compared by their content.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.builder import sealed
from tidegate.builder.kept_result import KeptResult
from tidegate.builder.stamps import Stamps

_FILE = "memory.json"
_FORMAT = 1
_NOTED_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Execution:
    """A step really ran: with which parts of its key (see `step_key`), and how that ended.

    `patterns` are its inputs and those of setup; `listing` is the digest of the blob of all files of that moment (see
    `working_files`), empty where none was kept.
    """

    at: float
    parts: dict[str, Any]
    patterns: tuple[tuple[str, ...], ...]
    listing: str
    state: str


@dataclass(frozen=True, slots=True)
class StepMemory:
    """What is remembered of a step.

    `state`, `has_run`, `cached` and `why` are of the last build; `key`, `kept` and `placed` of the result that was last
    put in place; `ran` is its last execution, `before` the one before that; `failed` are the tests that failed when
    its report last told.
    """

    state: str = ""
    has_run: bool = False
    cached: bool = False
    why: str = ""
    key: str = ""
    kept: KeptResult | None = None
    placed: Stamps = field(default_factory=dict)
    ran: Execution | None = None
    before: Execution | None = None
    failed: tuple[str, ...] = ()

    def forgets_result(self) -> StepMemory:
        """The same without the result in place; what it has placed there is still known."""
        return replace(self, key="", kept=None)


@dataclass(slots=True)
class TreeMemory:
    """The memory of one working tree, kept in `folder`."""

    folder: Path
    steps: dict[str, StepMemory] = field(default_factory=dict)
    hashes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Path → stamp and blob id of files that git does not know, or knows otherwise."""

    uses_noted_at: float = 0.0
    _as_read: Any = None

    @classmethod
    def read(cls, folder: Path) -> TreeMemory:
        """What is remembered; nothing where there is no memory, or one of another version."""
        memory = cls(folder)
        value = sealed.read(folder / _FILE)
        if value is not None and value["format"] == _FORMAT:
            memory.steps = {name: _step(one) for name, one in value["steps"].items()}
            memory.hashes = {path: (stamp, content) for path, (stamp, content) in value["hashes"].items()}
            memory.uses_noted_at = value["uses_noted_at"]
        memory._as_read = memory._all()
        return memory

    def write(self) -> None:
        """Remember for the next build; writes only what changed. Raises OSError."""
        if self._all() != self._as_read:
            steps = {name: _step_json(one) for name, one in self.steps.items()}
            hashes = {path: list(one) for path, one in self.hashes.items()}
            value = {"format": _FORMAT, "steps": steps, "hashes": hashes, "uses_noted_at": self.uses_noted_at}
            sealed.write(self.folder / _FILE, value)

    @property
    def placed(self) -> Stamps:
        """The stamps of all files that steps have put into the tree."""
        return {path: stamp for step in self.steps.values() for path, stamp in step.placed.items()}

    def of(self, step: str) -> StepMemory:
        """What is remembered of a step."""
        return self.steps.get(step, _NOTHING)

    def _all(self) -> Any:
        return dict(self.steps), dict(self.hashes), self.uses_noted_at


_NOTHING = StepMemory()


@contextmanager
def held(folder: Path, waits: Callable[[], None]) -> Iterator[Path]:
    """Hold a working tree's folder: one build at a time works in a tree. `waits` is called where another one does.

    Gives a folder for what this build leaves in no case behind; what a killed one left, running or there, is ended.
    """
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        if time.time() - folder.stat().st_mtime > _NOTED_SECONDS:
            os.utime(folder)
        work = folder / "work"
        if work.exists():
            _end_killed(work)
        try:
            yield work
        finally:
            if work.exists():
                _remove(work)


def mark_of_tree(folder: Path) -> str:
    """With what the marks of all steps begin that are built in a tree; the name of a step's own folder follows."""
    return f"build-{folder.name}-"


def _end_killed(work: Path) -> None:
    """End what a killed build left running, and remove what it left lying."""
    from tidegate.builder.leader import end_marked

    end_marked([f"{mark_of_tree(work.parent)}{one.name}" for one in work.iterdir()])
    _remove(work)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def log_path(folder: Path, step: str) -> Path:
    """Where the log of a step's last execution lies."""
    return folder / "logs" / f"{hashlib.sha256(step.encode()).hexdigest()[:16]}.log"


def blobs_of(folder: Path) -> Iterator[str]:
    """The digests of the blobs that a tree's memory refers to."""
    value = sealed.read(folder / _FILE)
    if value is not None and value["format"] == _FORMAT:
        for step in value["steps"].values():
            for ran in (step["ran"], step["before"]):
                if ran is not None and ran["listing"]:
                    yield ran["listing"]


def _step_json(step: StepMemory) -> dict[str, Any]:
    return {
        "state": step.state,
        "has_run": step.has_run,
        "cached": step.cached,
        "why": step.why,
        "key": step.key,
        "kept": None if step.kept is None else step.kept.as_json(),
        "placed": step.placed,
        "ran": None if step.ran is None else _execution_json(step.ran),
        "before": None if step.before is None else _execution_json(step.before),
        "failed": list(step.failed),
    }


def _execution_json(ran: Execution) -> dict[str, Any]:
    return {
        "at": ran.at,
        "parts": ran.parts,
        "patterns": [list(one) for one in ran.patterns],
        "listing": ran.listing,
        "state": ran.state,
    }


def _step(value: dict[str, Any]) -> StepMemory:
    return StepMemory(
        state=value["state"],
        has_run=value["has_run"],
        cached=value["cached"],
        why=value["why"],
        key=value["key"],
        kept=KeptResult.of_json(value["kept"]),
        placed=value["placed"],
        ran=None if value["ran"] is None else _execution(value["ran"]),
        before=None if value["before"] is None else _execution(value["before"]),
        failed=tuple(value.get("failed", ())),
    )


def _execution(value: dict[str, Any]) -> Execution:
    patterns = tuple(tuple(one) for one in value["patterns"])
    return Execution(value["at"], value["parts"], patterns, value["listing"], value["state"])
