"""The services that the repository shows, each as a git repository that can be built."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.docs.markdown import ROOT, blocks

TWO_STEPS = ROOT / "docs" / "examples" / "two-step-packaging"
_SHOP = ROOT / "src" / "tidegate" / "demo" / "shop" / "1-first"
_TUTORIAL = ROOT / "docs" / "tutorial.md"
_LEFT_BY_OTHERS = shutil.ignore_patterns("__pycache__", "dist", "image.tar")


def two_step_packaging(folder: Path) -> Path:
    """The example of a package, and of an image that is made of it."""
    shutil.copytree(TWO_STEPS, folder, ignore=_LEFT_BY_OTHERS)
    commit(folder, "A package and its image")
    return folder


def shop(folder: Path) -> Path:
    """The first version of the demo's shop."""
    shutil.copytree(_SHOP, folder, ignore=_LEFT_BY_OTHERS)
    commit(folder, "The shop")
    return folder


def greeter(folder: Path) -> Path:
    """The tutorial's service."""
    folder.mkdir()
    for block in blocks(_TUTORIAL.read_text()):
        file = block.option("file")
        if file and "/" not in file and not (folder / file).exists():
            (folder / file).write_text("\n".join(block.lines) + "\n")
    commit(folder, "Greet the world")
    return folder


def commit(folder: Path, message: str, env: Mapping[str, str] = os.environ) -> str:
    """Commit everything in the folder, which becomes a repository where it is none; the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=Sam", "-c", "user.email=sam@example.com", "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
