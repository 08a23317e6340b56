"""Small files that only the server's own user may read, made once."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """The text of the file without white space around it; where there is no file, `make` gives it (mode 0600).

    Two processes that do this at once get the same text. Others lose the right to read a file that is there already.
    Raises OSError; ValueError where the file is empty.
    """
    with contextlib.suppress(FileNotFoundError):
        return read_private(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # unlike a rename, a link does not replace what another process made meanwhile
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return read_private(path)


def read_private(path: Path) -> str:
    """The text of the file without white space around it; others lose the right to read it.

    Raises OSError; ValueError where the file is empty.
    """
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ValueError(f"{path} is empty; remove it, and a new one is made at the next start")
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return text
