"""Checks a commit out into a folder: run as a program of its own, because a large repository takes its time.

Takes what it needs from the environment: CHECKOUT_SOURCE (a repository's URL or path), CHECKOUT_COMMIT,
CHECKOUT_INTO (a folder that is not there before and is whole afterwards), and CHECKOUT_OWNER (a user's id, or empty).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


def check_out(source: str, commit: str, into: Path, owner: int | None) -> None:
    """Fetch exactly `commit` and put its files at `into`. Raises subprocess.CalledProcessError, whose output git has
    already written."""
    new = into.with_name(into.name + ".new")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        env = _git_environment(source, Path(folder))
        for command in (
            ("init", "--quiet"),
            ("fetch", "--quiet", "--no-tags", "--depth=1", "--", source, commit),
            ("checkout", "--quiet", "--detach", commit),
        ):
            subprocess.run(("git", *command), cwd=new, env=env, check=True)
    if owner is not None:
        _give_to(owner, new)
    new.rename(into)


def _git_environment(source: str, folder: Path) -> Mapping[str, str]:
    """The environment for git, which would refuse a local repository that belongs to another user."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    if Path(source).is_dir():
        config = folder / "gitconfig"
        safe = {str(Path(source).resolve()), str(Path(source).resolve() / ".git"), source}
        config.write_text("[safe]\n" + "".join(f"\tdirectory = {_quoted(path)}\n" for path in sorted(safe)))
        env["GIT_CONFIG_GLOBAL"] = str(config)
    return env


def _quoted(value: str) -> str:
    """The value as git's configuration takes it (git-config, "Syntax")."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _give_to(owner: int, folder: Path) -> None:
    os.chown(folder, owner, owner)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, owner, owner, follow_symlinks=False)


def main() -> int:
    """Check out what the environment says; the exit status is git's."""
    owner = os.environ["CHECKOUT_OWNER"]
    try:
        check_out(
            os.environ["CHECKOUT_SOURCE"],
            os.environ["CHECKOUT_COMMIT"],
            Path(os.environ["CHECKOUT_INTO"]),
            int(owner) if owner else None,
        )
    except subprocess.CalledProcessError as error:
        return error.returncode or 1
    except FileNotFoundError as error:
        print(f"git is needed to check out a commit: {error}", file=sys.stderr)  # noqa: T201 (the log)
        return 127
    return 0


if __name__ == "__main__":
    sys.exit(main())
