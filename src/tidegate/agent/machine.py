"""What an agent says of itself: its version, its machine, and which of several of one name it is."""

from __future__ import annotations

import platform
import secrets
from importlib.metadata import version
from pathlib import Path

from tidegate.model.agent import Platform

_PROCESSORS = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "arm64"}


def installed_version() -> str:
    """The version of Tidegate that runs here."""
    return version("tidegate")


def this_platform() -> Platform:
    """The operating system and the processor, in the words that are labels."""
    machine = platform.machine().lower() or "unknown"
    return Platform(platform.system().lower() or "unknown", _PROCESSORS.get(machine, machine.replace("_", "-")))


def instance_of(folder: Path) -> str:
    """The name of the agent that works in this folder: the same for all its lives, and for no other."""
    file = folder / "instance"
    if not file.exists():
        new = folder / ".instance.new"
        new.write_text(secrets.token_hex(8))
        new.rename(file)
    return file.read_text().strip()
