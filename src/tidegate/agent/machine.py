"""What an agent says of itself: its version, its machine, and which of several of one name it is."""

from __future__ import annotations

import secrets
from importlib.metadata import version
from pathlib import Path


def installed_version() -> str:
    """The version of Tidegate that runs here."""
    return version("tidegate")


def instance_of(folder: Path) -> str:
    """The name of the agent that works in this folder: the same for all its lives, and for no other."""
    file = folder / "instance"
    if not file.exists():
        new = folder / ".instance.new"
        new.write_text(secrets.token_hex(8))
        new.rename(file)
    return file.read_text().strip()
