"""What instances are run behind in a rehearsal: the proxy's file, and a Python that the instances' user can run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tidegate.rehearsal import faulty
from tidegate.rehearsal.server import RehearsalFailed
from tidegate.security.isolation import decide_isolation, existing_way, first_shut_folder

PROXY_FILE = "faulty.py"
_ELSEWHERE = ("/usr/bin:/usr/local/bin", "python3")


def proxy_in(folder: Path, data: Path) -> tuple[str, ...]:
    """The words that run the proxy of a rehearsal with that data folder; its file is put into `folder`.

    Raises RehearsalFailed where the user that instances run as can run no Python.
    """
    file = folder / PROXY_FILE
    shutil.copyfile(faulty.__file__, file)
    file.chmod(0o644)
    user = decide_isolation(data).run_as
    python = sys.executable if user is None else reachable(_pythons())
    if python is None:
        raise RehearsalFailed(
            f"instances run as a user of their own (uid {user}), who may not pass through "
            f"{first_shut_folder(existing_way(Path(sys.executable).resolve()))} to {sys.executable}; install Tidegate "
            "with a Python that others can run, as /usr/bin/python3"
        )
    return (python, "-I", str(file))


def reachable(programs: Iterable[str]) -> str | None:
    """The first of the programs to which others may pass, by its own name and by the file that this leads to."""
    return next((one for one in programs if not any(map(_is_shut, _way(Path(one))))), None)


def _way(program: Path) -> Iterable[Path]:
    """The program, the links that it leads through, and the file at the end."""
    while program.is_symlink():
        yield program
        program = Path(os.path.normpath(program.parent / os.readlink(program)))
    yield program


def _is_shut(program: Path) -> bool:
    return first_shut_folder(existing_way(program)) is not None


def _pythons() -> Iterable[str]:
    path, name = _ELSEWHERE
    found = shutil.which(name, path=path)
    return (sys.executable, *([found] if found else []))
