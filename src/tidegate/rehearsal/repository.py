"""The service's repository as a rehearsal has it: a copy in which every fault is a commit."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tidegate.config.rehearsed import RehearsedFile, Wrapping, rehearsed
from tidegate.config.tidegate_yaml import FILE, load
from tidegate.model.pipeline import Pipeline
from tidegate.model.rehearsal import Fault

AGENT_STEP_SECONDS = 3
_NO_FAULT = "none"


class NoRepository(Exception):
    """The service's repository cannot be rehearsed; the message says why."""


@dataclass(frozen=True, slots=True)
class RehearsedRepository:
    """A clone in `folder`; the service's file is in `path` of it. `proxy` are the words that run an instance."""

    folder: Path
    path: str
    proxy: tuple[str, ...]

    @classmethod
    def of(cls, source: str, commit: str, folder: Path, path: str, proxy: tuple[str, ...]) -> RehearsedRepository:
        """Clone the repository and stand at the commit. Raises NoRepository."""
        _git(folder.parent, "clone", "--quiet", "--no-checkout", "--", source, str(folder))
        made = cls(folder, path, proxy)
        _git(folder, "checkout", "--quiet", "-B", "main", commit)
        _git(folder, "config", "user.name", "Tidegate rehearsal")
        _git(folder, "config", "user.email", "rehearsal@localhost")
        _git(folder, "config", "commit.gpgsign", "false")
        return made

    @property
    def pipeline(self) -> Pipeline:
        """What the service's own file says. Raises ConfigError or NoRepository."""
        return load(self.own_file)

    @property
    def own_file(self) -> str:
        """The service's file as it is at the commit. Raises NoRepository."""
        if not self._file.exists():
            raise NoRepository(f"there is no {FILE} in {self.path or '.'} at the commit that is rehearsed")
        return self._file.read_text(encoding="utf-8")

    @property
    def _file(self) -> Path:
        return self.folder / self.path / FILE

    def commit(self, own: str, fault: Fault | None, environment: str, quick: float) -> tuple[str, RehearsedFile]:
        """Commit the version that has the fault in one environment, or none; the commit, and the file in it."""
        pipeline = load(own)
        assert pipeline.runtime is not None
        name = fault.of_version.value if fault and fault.is_bad_version else _NO_FAULT
        words = ("--fault", name, "--in", environment, "--health", pipeline.runtime.health.path)
        wrapping = Wrapping((*self.proxy, *words, "--quick", f"{quick:g}"))
        step = f"sleep {AGENT_STEP_SECONDS}" if fault is Fault.AGENT else None
        file = rehearsed(own, wrapping, quick, step)
        self._file.write_text(file.text, encoding="utf-8")
        _git(self.folder, "add", "--", str(self._file))
        words_of_commit = f"rehearsal: {fault.in_words if fault else 'nothing is wrong'}"
        _git(self.folder, "commit", "--quiet", "--allow-empty", "--message", words_of_commit)
        return _git(self.folder, "rev-parse", "HEAD").strip(), file


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise NoRepository(f"git {arguments[0]}: {said[-1] if said else 'it failed'}")
    return done.stdout
