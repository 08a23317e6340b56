"""Agents as processes of their own, forked from one that has imported what they need: that takes longer than most
tests."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

_AGENT = """
import json, logging, os, signal, sys
from datetime import timedelta
from pathlib import Path
from tidegate.agent.agent import run
from tidegate.agent.settings import AgentSettings
from tidegate.agent.follower import Limits
os.environ.clear()
os.environ.update(environment)
os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), sys.stderr.fileno())
crash_at = told.pop("crash_at")
if crash_at is not None:
    # kill -9 of itself right before or right after the n-th file that it writes about an attempt
    from tidegate.agent.record import AttemptRecord
    from tidegate.runners import process
    moments = []
    def crashing(write):
        def either_side(*arguments):
            for act in (lambda: None, lambda: write(*arguments)):
                act()
                moments.append(act)
                if len(moments) > crash_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        return either_side
    AttemptRecord._write = crashing(AttemptRecord._write)
    process._write_handle = crashing(process._write_handle)
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
limits = Limits(timedelta(seconds=0.3), told.pop("output_bytes"), told.pop("lines"))
told["folder"], told["token_file"] = Path(told["folder"]), Path(told["token_file"])
told["labels"] = tuple(told["labels"])
run(AgentSettings(**told, limits=limits))
"""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tidegate.agent.agent", "tidegate.agent.follower"])


class AgentProcess:
    """One started agent."""

    def __init__(self, told: dict[str, Any], log: Path) -> None:
        """Start it with these settings; what it says is added to the log."""
        given = {"told": told, "log": str(log), "environment": dict(os.environ)}
        self._process = _forks.Process(target=exec, args=(_AGENT, given))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """How it ended, as `subprocess` tells it; None where it has not within that time."""
        self._process.join(seconds)
        return self._process.exitcode

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self.wait(0)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)
