"""Asking git about a working tree, with the user's own settings: which files are ignored, how line ends are kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
"""What git sets for its hooks, in which a build may be run: the folder that was named counts."""


class GitFailed(Exception):
    """Git could not answer; the message says why, `remedy` is the next command where there is one."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


def begin(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start git in a folder; `finish` gives what it says. Raises GitFailed."""
    own = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    env = {**own, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.Popen(
            ["git", *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        if not folder.is_dir():
            raise GitFailed(f"there is no folder {folder}") from None
        raise GitFailed(
            "the git command is not on this machine; it says which files are inputs", "install git"
        ) from None


def finish(asked: subprocess.Popen[bytes], folder: Path) -> bytes:
    """What git says. Raises GitFailed."""
    output, errors = asked.communicate()
    if asked.returncode == 0:
        return output
    raise _failure(errors.decode(errors="replace").strip(), folder)


def ask(folder: Path, *arguments: str) -> bytes:
    """Start git and give what it says. Raises GitFailed."""
    return finish(begin(folder, *arguments), folder)


def ask_in_words(folder: Path, *arguments: str) -> str | None:
    """What git says, None where it says no, or nothing."""
    try:
        return ask(folder, *arguments).decode(errors="replace").strip() or None
    except GitFailed:
        return None


def ask_about(folder: Path, paths: Sequence[str], *arguments: str) -> bytes:
    """What git says about many paths, in their order. Raises GitFailed."""
    most = 500
    parts = [ask(folder, *arguments, "--", *paths[at : at + most]) for at in range(0, len(paths), most)]
    return b"".join(parts)


def _failure(said: str, folder: Path) -> GitFailed:
    if "not a git repository" in said:
        return GitFailed(f"{folder} is in no git repository, and git says which files are inputs", f"git init {folder}")
    if "dubious ownership" in said:
        return GitFailed(
            f"git refuses to read {folder}, which belongs to somebody else", "see safe.directory in git config --help"
        )
    if "must be run in a work tree" in said:
        return GitFailed(f"{folder} is a bare repository, without files", "run it in a clone of the repository")
    return GitFailed(f"git could not list the files of {folder}: {said.splitlines()[-1] if said else 'no reason'}")
