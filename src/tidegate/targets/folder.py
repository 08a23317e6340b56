"""The folders of placements and deployments on this machine, and what is noted in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation
from tidegate.model.installation import DesiredInstallation

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LOGS_KEPT = 20
"""Of how many removed and present deployments of a placement the logs are kept."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was last desired of a deployment, without what is secret: enough to observe it."""

    instances: int
    ports: tuple[int, ...]
    health_path: str
    within_seconds: float
    phases: tuple[str, ...]
    has_secrets: bool

    @classmethod
    def of(cls, desired: DesiredInstallation) -> Record:
        """The record of a desired installation."""
        return cls(
            instances=desired.instances,
            ports=desired.ports,
            health_path=desired.runtime.health.path,
            within_seconds=desired.runtime.health.within.total_seconds(),
            phases=phases(desired),
            has_secrets=bool(desired.secrets),
        )

    def without_instances(self) -> Record:
        """The same, with nothing to run."""
        return replace(self, instances=0)


def phases(desired: DesiredInstallation) -> tuple[str, ...]:
    """What is done once, in this order, before the first instance starts."""
    checkout = desired.runtime.artifact is None and desired.source is not None
    return (("checkout",) if checkout else ()) + (("prepare",) if desired.runtime.prepare else ())


@dataclass(frozen=True, slots=True)
class DeploymentFolder:
    """The folder of one deployment; its logs lie elsewhere, because they outlive it.

    `app` is where `prepare` and the instances run, `home` is their HOME where they have a user of their own.
    """

    path: Path
    logs: Path

    @property
    def deployment(self) -> DeploymentId:
        return DeploymentId(self.path.name)

    @property
    def app(self) -> Path:
        return self.path / "app"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def home(self) -> Path:
        return self.path / "home"

    def log(self, name: str) -> Path:
        """Where the output of `prepare`, `checkout` or `instance-<index>` goes."""
        return self.logs / f"{name}.log"

    def create(self, owner: int | None) -> None:
        """Make the folder; `home` belongs to `owner`, where there is one."""
        for folder in (self.path.parents[2], self.path.parents[1], self.path.parent, self.path):
            make_passable(folder)
        self.logs.mkdir(parents=True, exist_ok=True)
        make_own(self.home, owner)

    def clear_app(self) -> None:
        """Undo what phases did, so that they can begin anew."""
        for name in ("checkout", "prepare"):
            (self.path / f"{name}.done").unlink(missing_ok=True)
        if self.app.exists():
            shutil.rmtree(self.app)

    def is_done(self, phase: str) -> bool:
        """Whether the phase has succeeded."""
        return (self.path / f"{phase}.done").exists()

    def mark_done(self, phase: str) -> None:
        """Note that the phase has succeeded."""
        (self.path / f"{phase}.done").touch()

    def record(self) -> Record | None:
        """What was last desired, None where nothing ever was."""
        try:
            fields = json.loads((self.path / "installation.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Record(**{**fields, "ports": tuple(fields["ports"]), "phases": tuple(fields["phases"])})

    def write_record(self, record: Record) -> None:
        """Note what is desired, where it differs from what was noted."""
        if self.record() != record:
            _write(self.path / "installation.json", json.dumps(asdict(record)))

    def remove(self) -> None:
        """Remove the folder, and the oldest logs of its placement."""
        if self.path.exists():
            shutil.rmtree(self.path)
        if self.logs.parent.exists():
            by_age = sorted(self.logs.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)
            for old in by_age[:-_LOGS_KEPT]:
                shutil.rmtree(old)


@dataclass(frozen=True, slots=True)
class DeploymentFolders:
    """DIR/deployments of the data folder `data`."""

    data: Path

    def of(self, desired: DesiredInstallation) -> DeploymentFolder:
        """The folder of a deployment. Raises ValueError where a name in it could lead elsewhere."""
        parts = (desired.service, desired.environment, desired.deployment)
        for part in parts:
            if not _NAME.fullmatch(part):
                raise ValueError(f"{part!r} cannot be the name of a folder")
        return self._folder(Path(*parts))

    def find(self, deployment: DeploymentId) -> DeploymentFolder | None:
        """The folder of a deployment that is installed, None where it is not."""
        if not _NAME.fullmatch(deployment):
            return None
        root = self.data / "deployments"
        found = next(root.glob(f"*/*/{deployment}"), None)
        return None if found is None else self._folder(found.relative_to(root))

    def _folder(self, relative: Path) -> DeploymentFolder:
        return DeploymentFolder(self.data / "deployments" / relative, self.data / "logs" / "deployments" / relative)


def claim(placement: Path, generation: Generation) -> None:
    """Note the generation that moves a placement, kept in its folder. Raises StaleGeneration below the highest."""
    noted = placement / ".generation"
    highest = int(noted.read_text(encoding="ascii")) if noted.exists() else -1
    if generation < highest:
        raise StaleGeneration(f"generation {generation} is stale: {placement.name} has seen {highest}")
    if generation > highest:
        placement.mkdir(parents=True, exist_ok=True)
        _write(noted, str(generation))


def make_passable(folder: Path) -> None:
    """Make a folder that other users may pass through but not list."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o711)


def make_own(folder: Path, owner: int | None) -> None:
    """Make a folder for its owner alone: the user `owner`, or this process's own where that is None."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    if owner is not None:
        os.chown(folder, owner, owner)


def let_read(path: Path, reader: int | None) -> None:
    """Let the user `reader` read a file or a folder that is ours, and nobody else; ourselves alone where it is None."""
    group = 0o750 if path.is_dir() else 0o640
    path.chmod(group if reader is not None else group & 0o700)
    if reader is not None:
        os.chown(path, -1, reader)


def closed_to(uid: int, path: Path) -> Path | None:
    """The first folder on the way to `path` that the user `uid` (in no further group) may not enter."""
    for folder in (*reversed(path.parents), path):
        found = folder.stat()
        needed = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid == uid else stat.S_IXOTH
        if not found.st_mode & needed:
            return folder
    return None


def _write(path: Path, text: str) -> None:
    """Write whole or not at all, so that it is still there after a power cut."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
