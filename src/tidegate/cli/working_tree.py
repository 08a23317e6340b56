"""A folder of a git repository on this machine, as commands see it."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tidegate.cli.exit_code import CommandFailed, ExitCode

FILE = "tidegate.yaml"
_GIT_SECONDS = 30.0
_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """A folder in a repository: `top` is the repository's, `path` leads from there to the folder (`.` for itself)."""

    top: Path
    path: str

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.top / self.path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is read from: a repository's URL or absolute path, and the folder in it."""

    repository: str
    path: str | None
    notes: tuple[str, ...] = ()


def locate(repository: str, path: str | None, branch: str | None) -> Place:
    """What the server is told of REPO: a folder on this machine becomes an absolute path.

    Raises CommandFailed with the exact next command where its tidegate.yaml is missing or not committed.
    """
    from tidegate.integrations.git_command import local_path

    local = local_path(repository)
    if local is None:
        return Place(repository, path)
    folder = local.expanduser().resolve()
    if not folder.is_dir():
        raise CommandFailed(ExitCode.USAGE, f"there is no folder {folder}", "give a repository's folder or its URL")
    tree = working_tree(folder)
    if tree is None:
        return Place(str(folder), path)
    inner = path if path is not None else tree.path
    notes = _check_committed(tree.top, inner, branch)
    if path is None and inner != ".":
        notes = (f"{inner} is a folder of the repository {tree.top}, so: --path {shlex.quote(inner)}", *notes)
    return Place(str(tree.top), inner if inner != "." else None, notes)


def working_tree(folder: Path) -> WorkingTree | None:
    """The working tree that a folder belongs to; None where it is a bare repository.

    Raises CommandFailed where it is in no repository, or git is missing.
    """
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise CommandFailed(ExitCode.USAGE, _not_a_repository(folder, inside), f"git -C {quoted(folder)} init")
    if inside.stdout.strip() != "true":
        return None
    told = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix").stdout.split("\n")
    return WorkingTree(Path(told[0]), told[1].rstrip("/") or ".")


def commit_command(folder: Path, file: str = FILE, here: Path | None = None) -> str:
    """The command that commits a file of a folder, typed in that folder or, where that is another one, in `here`."""
    git = "git" if folder == (here or Path.cwd()).resolve() else f"git -C {quoted(folder)}"
    name = shlex.quote(file)
    return f'{git} add {name} && {git} commit -m "Add {FILE}"'


def quoted(path: Path) -> str:
    """The path as it can be typed into a shell."""
    return shlex.quote(str(path))


def _check_committed(top: Path, path: str, branch: str | None) -> tuple[str, ...]:
    file = FILE if path == "." else f"{path}/{FILE}"
    folder = top / path
    committed = _git(top, "cat-file", "-e", f"{f'refs/heads/{branch}' if branch else 'HEAD'}:{file}").returncode == 0
    if committed:
        changed = _git(top, "status", "--porcelain", "--", file).stdout.strip()
        if changed:
            return (f"{file} has changes that are not committed; what is committed counts",)
        return ()
    if (top / file).is_file():
        where = f"on {branch}" if branch else "committed"
        raise CommandFailed(ExitCode.USAGE, f"{folder / FILE} is there, but not {where}", commit_command(folder))
    init = "tidegate init" if folder == Path.cwd().resolve() else f"cd {quoted(folder)} && tidegate init"
    raise CommandFailed(ExitCode.USAGE, f"there is no {FILE} in {folder}", init)


def _environment() -> dict[str, str]:
    """The caller's, without what git sets for hooks: the folder that was named counts, not that of the hook."""
    own = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    return {**own, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def _not_a_repository(folder: Path, asked: subprocess.CompletedProcess[str]) -> str:
    if "dubious ownership" in asked.stderr:
        return f"git refuses to read {folder}, which belongs to somebody else (see safe.directory in git config)"
    return f"{folder} is not a git repository"


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        raise CommandFailed(ExitCode.FAILED, "the git command is not on this machine", "install git") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(ExitCode.FAILED, f"git did not answer about {folder} in {_GIT_SECONDS:g} s") from None
