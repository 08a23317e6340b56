"""Where a service is in its repository: its steps run there, and their patterns begin there."""

from __future__ import annotations

import os
from pathlib import PurePosixPath


def service_folder(folder: PurePosixPath, path: str) -> PurePosixPath:
    """The service's folder for a file in `folder` that says `path`: this one, or in a file further up, one below it."""
    inner = PurePosixPath(os.path.normpath(path))
    if str(inner) == "." or folder.parts[-len(inner.parts) :] == inner.parts:
        return folder
    return folder / inner
