"""Telling processes apart: which boot, which start time, which group, and whose mark they carry.

A pid alone proves nothing, because the system gives it to another process sooner or later. A pid together with its
start time and the boot it was seen in names one process for good.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CHUNK_BYTES = 4096
_LOOKS_AT_MOST = 10
_LOOK_EVERY_SECONDS = 0.001
_HAS_PROC = sys.platform == "linux" and Path("/proc/self/stat").exists()


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """A process as it was seen: `started` is in the operating system's own units, only good for comparing."""

    pid: int
    started: float
    group: int
    session: int
    ended: bool
    """It is a zombie: it runs no more, and only its parent has not asked for its status yet."""


@cache
def boot_id() -> str:
    """What names the time since the machine was started; the same for all of its processes."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"boot-time-{psutil.boot_time():.0f}"


def see(pid: int) -> SeenProcess | None:
    """The process of that pid, None where there is none."""
    return _see_in_proc(pid) if _HAS_PROC else _see_by_psutil(pid)


def _see_in_proc(pid: int) -> SeenProcess | None:
    try:
        line = read_whole(f"/proc/{pid}/stat")
    except OSError:
        return None
    # the name, in parentheses, may hold blanks and parentheses itself: the fields begin after the last one
    fields = line[line.rindex(b")") + 2 :].split()
    return SeenProcess(
        pid=pid,
        started=float(fields[19]),
        group=int(fields[2]),
        session=int(fields[3]),
        ended=fields[0] in (b"Z", b"X"),
    )


def read_whole(path: str) -> bytes:
    """A file of the system, which has no size and is mostly small."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole = b""
        while chunk := os.read(file, _CHUNK_BYTES):
            whole += chunk
        return whole
    finally:
        os.close(file)


def _see_by_psutil(pid: int) -> SeenProcess | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            ended = process.status() == psutil.STATUS_ZOMBIE
            return SeenProcess(pid, process.create_time(), os.getpgid(pid), os.getsid(pid), ended)
    except (psutil.Error, OSError):
        return None


def pids(uid: int) -> list[int]:
    """All pids of that user's processes that are in use now."""
    if not _HAS_PROC:
        return [process.pid for process in psutil.process_iter(["uids"]) if uid in (process.info["uids"] or ())]
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == uid:
                found.append(int(name))
    return found


def has_mark(pid: int, variable: str, value: str) -> bool:
    """Whether the process was started with `variable=value` in its environment, as far as that may be read."""
    if not _HAS_PROC:
        return _has_mark_by_psutil(pid, variable, value)
    mark = f"{variable}={value}".encode()
    try:
        for _ in range(_LOOKS_AT_MOST):
            environment = read_whole(f"/proc/{pid}/environ")
            if environment or not _has_memory(pid):
                return mark in environment.split(b"\0")
            time.sleep(_LOOK_EVERY_SECONDS)
    except OSError:
        pass
    return False


def _has_memory(pid: int) -> bool:
    """Not so of a zombie and of what the kernel itself runs, which have no environment. Whatever else shows none may
    have none, or is becoming another program in this very moment."""
    fields = read_whole(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[20]) != 0


def _has_mark_by_psutil(pid: int, variable: str, value: str) -> bool:
    try:
        return psutil.Process(pid).environ().get(variable) == value
    except (psutil.Error, OSError):
        return False
