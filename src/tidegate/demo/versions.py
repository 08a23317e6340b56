"""The versions of a service that the story plays, and how they become commits."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SHOP = Path(__file__).parent / "shop"
_FAULTY = re.compile(r"bad|fault|slow|broken", re.IGNORECASE)


class NoVersions(Exception):
    """The folder does not hold versions of a service; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version: what its commit is called, and whether it has to be rolled back."""

    name: str
    folder: Path
    is_faulty: bool


def versions_in(folder: Path) -> tuple[Version, ...]:
    """The versions in a folder: its sub-folders in the order of their names, each laid over the one before.

    One whose name says bad, faulty, slow or broken has to be rolled back; every other one has to be promoted.
    Raises NoVersions.
    """
    found = [one for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith((".", "__"))]
    if not found or not (found[0] / "tidegate.yaml").exists():
        raise NoVersions(
            f"{folder} holds no versions of a service: it needs sub-folders such as 1-first, 2-good, 3-bad and 4-slow, "
            "the first of them with a tidegate.yaml; each is laid over the one before"
        )
    versions = tuple(Version(re.sub(r"^\d+-", "", one.name), one, bool(_FAULTY.search(one.name))) for one in found)
    if versions[0].is_faulty:
        raise NoVersions(f"the first version, {found[0].name}, must be a good one")
    return versions


class ServiceRepository:
    """A real git repository in which each version becomes a commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> None:
        """An empty repository with an author of its own."""
        self.folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "Robin Demo")
        self._git("config", "user.email", "robin@example.com")
        self._git("config", "commit.gpgsign", "false")

    def commit(self, version: Version) -> str:
        """Lay the version over what is there and commit it; the new commit."""
        ignored = shutil.ignore_patterns("__pycache__", ".git")
        shutil.copytree(version.folder, self.folder, dirs_exist_ok=True, ignore=ignored)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", f"{version.name.replace('-', ' ')} version")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout
