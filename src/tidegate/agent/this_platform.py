"""What this machine is, in the words that are labels."""

from __future__ import annotations

import os

from tidegate.model.agent import Platform

_PROCESSORS = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "arm64"}


def this_platform() -> Platform:
    """The operating system and the processor."""
    here = os.uname()
    machine = here.machine.lower() or "unknown"
    return Platform(here.sysname.lower() or "unknown", _PROCESSORS.get(machine, machine.replace("_", "-")))
