"""Which processes can have come since a moment, told without a look at all of them.

Linux gives pids away in order and counts what it starts. Where it started little since a moment whose last pid is
known, whatever came later has one of the few numbers after that.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from tidegate.runners.identity import read_whole

_FEW = 128
"""So many are looked at faster than all processes of a small machine; and no system has so few pids in all."""


@dataclass(frozen=True, slots=True)
class Started:
    """How many processes and threads the system has started, and the pid that it gave away last."""

    count: int
    last: int


def started_so_far() -> Started | None:
    """What the system has started by now; None where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        # counted first: what comes between the two looks is looked at once more, and never missed
        count = int(read_whole("/proc/stat").split(b"\nprocesses ")[1].split()[0])
        # not from /proc/loadavg, which containers are shown a late copy of
        return Started(count, int(read_whole("/proc/sys/kernel/ns_last_pid")))
    return None


def newcomers(before: Started | None, uid: int) -> list[int] | None:
    """That user's processes among those that came after that moment; None where only a look at all can tell."""
    now = started_so_far()
    if before is None or now is None or not 0 <= now.count - before.count < _FEW:
        return None
    # the numbers began anew, or more of them were used than there were starts
    if not before.last <= now.last < before.last + 2 * _FEW:
        return None
    found = [one for one in range(before.last + 1, now.last + 1) if _owner(one) == uid]
    # threads have numbers too, but are not listed
    return [one for one in found if str(one) in os.listdir("/proc")]


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
