"""The first process of a step, and all that came from it.

As on agents: a process that clears its environment *and* begins a session of its own cannot be told from a stranger.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from tidegate.runners.identity import has_mark, pids, see
from tidegate.runners.process import MARK

__all__ = ["MARK", "Leader", "end_marked"]


@dataclass(frozen=True, slots=True)
class Leader:
    """A step's first process, which leads a session of its own; `started` tells it from a later one of that pid."""

    pid: int
    started: float
    mark: str

    @classmethod
    def of(cls, pid: int, mark: str) -> Leader:
        """A child of ours that was not waited for yet."""
        seen = see(pid)
        assert seen is not None
        return cls(pid, seen.started, mark)

    def members(self) -> set[int]:
        """The running processes of the step: those of its session, and those that carry its mark."""
        return {pid for pid in pids(os.geteuid()) if self._is_member(pid)}

    def signal(self, *numbers: signal.Signals) -> None:
        """Send signals to all of them: to the first process first, so that it hears of it before a child has ended."""
        for pid in sorted(self.members(), key=lambda pid: pid != self.pid):
            for number in numbers:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _is_member(self, pid: int) -> bool:
        seen = see(pid)
        if seen is None or seen.ended or seen.started < self.started:
            return False
        return seen.session == self.pid or has_mark(pid, MARK, self.mark)


def end_marked(marks: Collection[str]) -> None:
    """End all processes that carry one of these marks: their build was killed and ends them no more."""
    for pid in pids(os.geteuid()):
        if any(has_mark(pid, MARK, mark) for mark in marks):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
