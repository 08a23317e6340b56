"""Whether a process runs, asked without the code under test."""

from __future__ import annotations

import psutil


def is_running(pid: int) -> bool:
    """Whether a process of that pid runs; one that only waits to be asked for its status does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
