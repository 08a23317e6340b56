"""Which processes can have come since a moment, told without a look at all of them.

Linux gives pids away in order and counts what it starts. Where it started little since a process of a known pid was,
whatever came later has one of the few numbers after that.
"""

from __future__ import annotations

import os
from contextlib import suppress

from tidegate.runners.identity import read_whole

_FEW = 128
"""So many are looked at faster than all processes of a small machine; and no system has so few pids in all."""


def started_so_far() -> int | None:
    """How many processes and threads the system has started; None where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(read_whole("/proc/stat").split(b"\nprocesses ")[1].split()[0])
    return None


def newcomers(pid: int, started_before: int | None, uid: int) -> list[int] | None:
    """That user's processes among those that came after `pid`; None where only a look at all can tell.

    `started_before` is what `started_so_far` gave before the process of that pid was started.
    """
    started = started_so_far()
    if started_before is None or started is None or not 0 <= started - started_before < _FEW:
        return None
    try:
        # not from /proc/loadavg, which containers are shown a late copy of
        last = int(read_whole("/proc/sys/kernel/ns_last_pid"))
    except (OSError, ValueError):
        return None
    # the numbers began anew, or more of them were used than there were starts
    if not pid <= last < pid + 2 * _FEW:
        return None
    found = [one for one in range(pid + 1, last + 1) if _owner(one) == uid]
    # threads have numbers too, but are not listed
    return [one for one in found if str(one) in os.listdir("/proc")]


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
